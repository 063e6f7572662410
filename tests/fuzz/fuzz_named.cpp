// A segment with a name, whose header page somebody edits while others create, open, use and remove it. The input is a
// script of steps. Whoever has it open keeps a stream that works, whatever the header says by now; until somebody opens
// it by a header that was changed to fit another stream, and takes part as if it were that one. From then on, what
// stands in it may be anything, as where somebody hostile writes; nobody may crash, hang or leave the segment.
//
//   a step    bits 0..3 what (see take_step), bits 4, 5 whose
//   an edit   byte 0: which word of the header    byte 1: what (a word follows, zero, all ones, a bit that changes)
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <optional>

#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/layout/header.hpp>

#include "fuzz/input.hpp"
#include "fuzz/target.hpp"
#include "fuzz/world.hpp"
#include "support/child.hpp"
#include "support/invariants.hpp"
#include "support/main_stream.hpp"

namespace sapbuf::fuzz {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kHandles = 3;
constexpr unsigned kMostSteps = 60;

SegmentOptions options_of(unsigned choice) {
  return {.slabs = 2,
          .slab_bytes = 4096,
          .order = (choice & 1) != 0 ? Order::total : Order::per_writer,
          .extent_bytes = (choice & 1) != 0 ? 0u : 512u,
          .participants = 8};
}

struct Handle {
  std::optional<Segment> segment;
  ino_t file = 0;
  std::optional<Writer> writer;
  std::optional<Reader> reader;

  void close() {
    reader.reset();
    writer.reset();
    segment.reset();
  }
};

// A segment's file, and what the one who made it (or else, opened it first) takes its stream for.
struct File {
  layout::StreamGeometry geometry;
  bool deceived = false;  // by a header that says otherwise
  bool misled = false;    // its directory was edited: what is open may be found there no more
};

class Script {
 public:
  explicit Script(Input input) : input_(input), path_("/dev/shm/sapbuf." + name_.str()) {}
  Script(const Script&) = delete;
  Script& operator=(const Script&) = delete;
  ~Script() { kill_point::disarm(); }

  void run() {
    for (unsigned step = 0; step < kMostSteps && !input_.empty(); ++step) {
      tolerate([&] { take_step(); });
      for (const Handle& handle : handles_) {
        if (handle.segment && is_whole(handle)) test::check_invariants(*handle.segment);
      }
    }
    kill_point::disarm();
    for (Handle& handle : handles_) {
      if (!handle.segment) continue;
      const auto use = [&] { test::write_and_read(*handle.segment, 0ms); };
      if (is_whole(handle)) {
        use();
      } else {
        tolerate(use);
      }
    }
  }

 private:
  void take_step() {
    const std::uint8_t step = input_.byte();
    Handle& handle = handles_[(step >> 4 & 3) % kHandles];
    switch (step & 15) {
      case 0:
        return use(handle, Segment::create(name_, options_of(step >> 6)));
      case 1:
      case 2:
        return use(handle, Segment::open_or_create(name_, options_of(step >> 6)));
      case 3:
      case 4:
        return use(handle, Segment::open(name_));
      case 5:
        return static_cast<void>(Segment::remove(name_));
      case 6:
        return write(handle);
      case 7:
        return read(handle);
      case 8:
      case 9:
      case 10:
        return edit(input_);
      case 11:
        return edit_on_the_way();
      case 12:
        return static_cast<void>(inspect(name_));
      case 13:
        return dump(name_, [](const FrameRecord&) {});
      case 14:
        return handle.segment ? static_cast<void>(recover(*handle.segment)) : void();
      default:
        return handle.close();
    }
  }

  void use(Handle& handle, Segment segment) {
    handle.close();
    handle.file = file_of_name();
    File& file = files_.try_emplace(handle.file).first->second;
    const bool deceived = std::exchange(file.deceived, true);  // if its stream cannot be opened
    const layout::StreamGeometry& geometry = test::main_stream(segment).geometry();
    file.deceived = deceived;
    if (segment.created() || file.geometry.slabs == 0) file = {geometry, false, file.misled};
    if (!(file.geometry == geometry)) file.deceived = true;
    handle.segment = std::move(segment);
  }

  bool is_whole(const Handle& handle) const {
    const File& file = files_.at(handle.file);
    return !file.deceived && !file.misled;
  }

  // Nobody else gives or takes the name.
  ino_t file_of_name() const {
    struct stat facts {};
    if (::stat(path_.c_str(), &facts) != 0) throw std::runtime_error("the segment has no name");
    return facts.st_ino;
  }

  void write(Handle& handle) {
    if (!handle.segment) return;
    if (!handle.writer) handle.writer.emplace(*handle.segment, WriterOptions{.timeout = 0ms});
    for (int i = 0; i < 4; ++i) {
      Reservation open = handle.writer->reserve(300);
      if (!open) return;
      // Where the directory was edited, `main` may be another stream by now than the one that is written to.
      if (!files_.at(handle.file).misled) test::overwrite(*handle.segment, open.bytes());
      open.commit();
    }
  }
  void read(Handle& handle) {
    if (!handle.segment) return;
    if (!handle.reader) handle.reader.emplace(*handle.segment);
    for (const Frame& frame : handle.reader->pin()) {
      if (!files_.at(handle.file).misled) test::touch(*handle.segment, frame.bytes());
    }
  }

  // As whoever may write to the file can.
  void edit(Input& input) {
    constexpr std::size_t kHeaderWords = sizeof(layout::SegmentHeader) / sizeof(std::uint64_t);
    constexpr std::size_t kEntryWords = sizeof(layout::DirectoryEntry) / sizeof(std::uint64_t);
    const std::size_t word_number = input.byte() % (kHeaderWords + kEntryWords);
    const std::size_t place = word_number < kHeaderWords
                                  ? word_number * sizeof(std::uint64_t)
                                  : layout::kPageBytes + (word_number - kHeaderWords) * sizeof(std::uint64_t);
    const auto at = static_cast<off_t>(place);
    const std::uint8_t what = input.byte();
    const int file = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
    if (file < 0) return;
    std::uint64_t word = 0;
    static_cast<void>(::pread(file, &word, sizeof word, at));
    switch (what & 3) {
      case 0:
        word = input.word();
        break;
      case 1:
        word = 0;
        break;
      case 2:
        word = ~std::uint64_t{0};
        break;
      default:
        word ^= std::uint64_t{1} << (what >> 2);
    }
    static_cast<void>(::pwrite(file, &word, sizeof word, at));
    struct stat facts {};
    if (word_number >= kHeaderWords && ::fstat(file, &facts) == 0) files_[facts.st_ino].misled = true;
    ::close(file);
  }

  // The edit itself follows in the input, behind the number of kill points until it is made.
  void edit_on_the_way() {
    const unsigned nth = 1u + input_.byte() % 32;
    kill_point::arm(
        KillPoint::any, [this, later = input_]() mutable { edit(later); }, nth);
  }

  Input input_;
  const test::TestName name_;
  const std::string path_;
  Handle handles_[kHandles];
  std::map<ino_t, File> files_;
};

}  // namespace
}  // namespace sapbuf::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sapbuf::fuzz::Script{{data, size}}.run();
  return 0;
}
