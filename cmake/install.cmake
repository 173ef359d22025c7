include(CMakePackageConfigHelpers)
install(TARGETS carillon EXPORT carillon_targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET carillon_program)
  install(TARGETS carillon_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(DIRECTORY include/carillon DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT carillon_targets NAMESPACE carillon:: FILE carillon-targets.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/carillon)
configure_package_config_file(cmake/carillon-config.cmake.in carillon-config.cmake
        INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/carillon)
write_basic_package_version_file(carillon-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/carillon-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/carillon-config-version.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/carillon)
# Found from where the file lies, so that `cmake --install --prefix` and a moved tree work.
file(RELATIVE_PATH CARILLON_PREFIX_FROM_PC ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/carillon.pc.in carillon.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/carillon.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
