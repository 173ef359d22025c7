#pragma once
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <memory>
#include "base/file.h"
namespace carillon {
inline std::unique_ptr<rocksdb::Env> make_rocks_env(Files&) { return rocksdb::NewCompositeEnv(rocksdb::FileSystem::Default()); }
}
