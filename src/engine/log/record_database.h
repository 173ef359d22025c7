// For tests: a RocksDB database of numbered records, each written once, in order, on any disk.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <memory>
#include <string>

#include "engine/log/rocks_files.h"

namespace carillon {

class RecordDatabase {
 public:
  RecordDatabase(Files& files, std::string path) : path_(std::move(path)), env_(make_rocks_env(files)) {
    options_.env = env_.get();
    options_.info_log = std::make_shared<Silence>();
    options_.create_if_missing = true;
    options_.write_buffer_size = 64 << 10;
    options_.target_file_size_base = 64 << 10;
    options_.level0_file_num_compaction_trigger = 2;
    options_.max_bgerror_resume_count = 0;  // Only by Resume().
  }

  rocksdb::Options& options() { return options_; }
  rocksdb::DB& database() { return *database_; }

  rocksdb::Status open() {
    rocksdb::DB* opened = nullptr;
    rocksdb::Status status = rocksdb::DB::Open(options_, path_, &opened);
    database_.reset(opened);
    return status;
  }
  void close() { database_.reset(); }

  static std::string key_of(int number) { return fmt::format("key{:08}", number); }
  static std::string value_of(int number) { return fmt::format("{:0>{}}", number, 20 + number * 7919 % 400); }

  rocksdb::Status write(int number, bool sync) {
    rocksdb::WriteOptions how;
    how.sync = sync;
    return database_->Put(how, key_of(number), value_of(number));
  }

  // How many there are from number 0 on; every one of them must be whole, and none may be missing between.
  int count() {
    const std::unique_ptr<rocksdb::Iterator> at(database_->NewIterator({}));
    int number = 0;
    for (at->SeekToFirst(); at->Valid(); at->Next(), ++number) {
      EXPECT_EQ(at->key().ToString(), key_of(number));
      EXPECT_EQ(at->value().ToString(), value_of(number));
    }
    EXPECT_TRUE(at->status().ok()) << at->status().ToString();
    return number;
  }

 private:
  class Silence final : public rocksdb::Logger {
   public:
    using rocksdb::Logger::Logv;
    void Logv(const char*, va_list) override {}
  };

  const std::string path_;
  const std::unique_ptr<rocksdb::Env> env_;
  rocksdb::Options options_;
  std::unique_ptr<rocksdb::DB> database_;
};

}  // namespace carillon
