# Fuzz targets: every src/**/x_fuzz.cc becomes x_fuzz, with its corpus in tests/fuzz/x.
file(GLOB_RECURSE fuzz_sources CONFIGURE_DEPENDS src/*_fuzz.cc)
foreach(source ${fuzz_sources})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE carillon_internal)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endforeach()
