# Everything comes from Debian 12's own packages; `./dev setup` installs them. docs/internals/dependencies.md says why each.
find_package(Threads REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(fmt 9 REQUIRED)
find_package(spdlog REQUIRED)
find_package(simdjson REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS headers)
find_package(tomlplusplus REQUIRED)
find_package(RocksDB REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(ISAL REQUIRED IMPORTED_TARGET libisal)

set(CARILLON_LIBRARIES Threads::Threads OpenSSL::SSL OpenSSL::Crypto ZLIB::ZLIB fmt::fmt spdlog::spdlog simdjson::simdjson
    Boost::headers tomlplusplus::tomlplusplus PkgConfig::ISAL
    RocksDB::rocksdb-shared)
