#include "os/system_files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <chrono>
#include <numeric>

#include "base/scratch_file.h"
#include "os/file_descriptor.h"

namespace carillon {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class SystemFilesTest : public ::testing::Test {
 protected:
  std::string at(const std::string& name) const { return directory_.path() + "/" + name; }

  void write(const std::string& name, std::string_view text) {
    auto file = files_.create(at(name));
    ASSERT_TRUE(file) << file.error().text;
    ASSERT_TRUE((*file)->append(text));
    ASSERT_TRUE((*file)->sync());
    ASSERT_TRUE((*file)->close());
  }

  std::string text_of(const std::string& name) {
    auto file = files_.read_from(at(name));
    if (!file) return "cannot read: " + file.error().text;
    std::string text(1 << 20, '\0');
    const auto count = (*file)->read(0, text);
    if (!count) return "cannot read: " + count.error().text;
    text.resize(*count);
    return text;
  }

  mode_t mode_of(const std::string& name) const {
    struct stat status {};
    return ::stat(at(name).c_str(), &status) == 0 ? status.st_mode & 0777 : 0;
  }

  SystemFiles files_;
  const ScratchDirectory directory_;
};

TEST_F(SystemFilesTest, WhatIsAppendedIsReadFromAnyPlace) {
  auto file = files_.create(at("a"));
  ASSERT_TRUE(file);
  EXPECT_TRUE((*file)->append("one two "));
  EXPECT_TRUE((*file)->append("three"));
  EXPECT_EQ((*file)->size(), 13u);

  auto reader = files_.read_from(at("a"));
  ASSERT_TRUE(reader);
  char part[5];
  EXPECT_EQ(*(*reader)->read(4, part), 5u);
  EXPECT_EQ(std::string(part, 5), "two t");
  EXPECT_EQ(*(*reader)->read(10, part), 3u);
  EXPECT_EQ(*(*reader)->read(13, part), 0u);
  EXPECT_EQ(*(*reader)->read(1000, part), 0u);
}

TEST_F(SystemFilesTest, CreateEmptiesAndAppendToGoesOn) {
  write("a", "old");
  write("a", "new");
  auto file = files_.append_to(at("a"));
  ASSERT_TRUE(file);
  EXPECT_EQ((*file)->size(), 3u);
  EXPECT_TRUE((*file)->append("er"));
  EXPECT_EQ(text_of("a"), "newer");
  ASSERT_TRUE(files_.append_to(at("made")));
  EXPECT_EQ(text_of("made"), "");
}

TEST_F(SystemFilesTest, TruncatingCutsOrFillsWithZeroesAndAppendingGoesOnThere) {
  auto file = files_.create(at("a"));
  ASSERT_TRUE(file);
  EXPECT_TRUE((*file)->append("abcdef"));
  EXPECT_TRUE((*file)->truncate(2));
  EXPECT_TRUE((*file)->append("x"));
  EXPECT_TRUE((*file)->truncate(5));
  EXPECT_EQ((*file)->size(), 5u);
  EXPECT_TRUE((*file)->append("y"));
  EXPECT_EQ(text_of("a"), std::string("abx\0\0y", 6));
}

TEST_F(SystemFilesTest, LargePiecesAreWhole) {
  std::string text(700'001, '\0');
  std::iota(text.begin(), text.end(), '\1');
  write("a", text);
  EXPECT_EQ(text_of("a"), text);
}

TEST_F(SystemFilesTest, OthersOfTheSystemCannotReadWhatIsMade) {
  const mode_t before = ::umask(0);
  write("a", "");
  ASSERT_TRUE(files_.make_directory(at("d")));
  ::umask(before);
  EXPECT_EQ(mode_of("a"), 0640u);
  EXPECT_EQ(mode_of("d"), 0750u);
}

TEST_F(SystemFilesTest, NamesAreListedRenamedLinkedAndRemoved) {
  write("a", "1");
  write("b", "2");
  ASSERT_TRUE(files_.make_directory(at("d")));
  EXPECT_TRUE(files_.rename(at("a"), at("b")));
  EXPECT_TRUE(files_.link(at("b"), at("d/c")));
  EXPECT_TRUE(files_.sync_directory(at("d")));
  EXPECT_THAT(*files_.list(directory_.path()), UnorderedElementsAre("b", "d"));
  EXPECT_EQ(text_of("d/c"), "1");
  EXPECT_EQ(files_.remove_directory(at("d")).error().kind, ErrorKind::kConflict);
  EXPECT_TRUE(files_.remove(at("d/c")));
  EXPECT_TRUE(files_.remove_directory(at("d")));
  EXPECT_EQ(text_of("b"), "1");
}

TEST_F(SystemFilesTest, InfoTellsSizeTimeAndKind) {
  write("a", "12345");
  const auto file = files_.info(at("a"));
  ASSERT_TRUE(file);
  EXPECT_EQ(file->size, 5u);
  EXPECT_FALSE(file->directory);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  EXPECT_NEAR(static_cast<double>(file->modified_ms), static_cast<double>(now / std::chrono::milliseconds(1)), 60'000);
  EXPECT_TRUE(files_.info(directory_.path())->directory);
}

TEST_F(SystemFilesTest, ErrorsHaveTheirKindAndNameThePathAndTheReason) {
  const auto missing = files_.read_from(at("none"));
  EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);
  EXPECT_THAT(missing.error().text, HasSubstr(at("none") + ": No such file or directory"));
  EXPECT_EQ(files_.create(at("none/a")).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(files_.list(at("none")).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(files_.info(at("none")).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(files_.remove(at("none")).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(files_.rename(at("none"), at("a")).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(files_.sync_directory(at("none")).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(files_.free_bytes(at("none")).error().kind, ErrorKind::kNotFound);

  write("a", "");
  EXPECT_EQ(files_.make_directory(at("a")).error().kind, ErrorKind::kConflict);
  EXPECT_EQ(files_.link(at("a"), at("a")).error().kind, ErrorKind::kConflict);
  EXPECT_EQ(files_.create(directory_.path()).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(files_.create(at("a/b")).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(files_.create(at(std::string(300, 'n'))).error().kind, ErrorKind::kInvalid);
}

TEST_F(SystemFilesTest, AFullDiskIsALimit) {
  auto full = files_.append_to("/dev/full");
  if (!full) GTEST_SKIP() << "no /dev/full here";
  const auto written = (*full)->append("x");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::kLimit);
  EXPECT_THAT(written.error().text, HasSubstr("cannot write /dev/full: No space left on device"));
  EXPECT_EQ((*full)->size(), 0u);
}

TEST_F(SystemFilesTest, WhatTheDiskCannotReadIsCorrupt) {
  auto memory = files_.read_from("/proc/self/mem");  // Nothing is mapped at its beginning: reading there is EIO.
  if (!memory) GTEST_SKIP() << "no /proc/self/mem here";
  char byte[1];
  const auto got = (*memory)->read(0, byte);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, ErrorKind::kCorrupt);
}

TEST_F(SystemFilesTest, AClosedFileTakesNothing) {
  auto file = files_.create(at("a"));
  ASSERT_TRUE(file);
  EXPECT_TRUE((*file)->close());
  EXPECT_EQ((*file)->append("x").error().kind, ErrorKind::kInternal);
  EXPECT_EQ((*file)->sync().error().kind, ErrorKind::kInternal);
  EXPECT_EQ(text_of("a"), "");
}

TEST_F(SystemFilesTest, ALockHoldsAgainstThisProcessUntilItEnds) {
  auto first = files_.lock(at("LOCK"));
  ASSERT_TRUE(first);
  SystemFiles other;
  const auto second = other.lock(at("LOCK"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::kConflict);
  EXPECT_THAT(second.error().text, HasSubstr(at("LOCK")));
  { EXPECT_TRUE(files_.read_from(at("LOCK"))); }  // Closing another opening of the file must not free it.
  EXPECT_FALSE(other.lock(at("LOCK")));
  first->reset();
  EXPECT_TRUE(other.lock(at("LOCK")));
}

TEST_F(SystemFilesTest, ALockHoldsAgainstOtherProcessesWithOlderLocks) {
  const auto held = files_.lock(at("LOCK"));
  ASSERT_TRUE(held);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const FileDescriptor file(::open(at("LOCK").c_str(), O_RDWR));
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    ::_exit(::fcntl(file.get(), F_SETLK, &whole) == 0 ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(SystemFilesTest, ThereIsRoomOnTheDisk) {
  const auto room = files_.free_bytes(directory_.path());
  ASSERT_TRUE(room);
  EXPECT_GT(*room, 0u);
}

}  // namespace
}  // namespace carillon
