#include "segment/creation.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <map>
#include <optional>

#include <sapbuf/detail/kill_point.hpp>

#include "platform/file_error.hpp"
#include "platform/kept_descriptor.hpp"
#include "platform/system_error.hpp"
#include "segment/segment_header.hpp"

namespace sapbuf::detail {
namespace {

using layout::SegmentHeader;
using platform::FileAccess;
using platform::FileFacts;
using platform::quoted_segment;
using platform::SharedFile;

// A name that comes and goes: whoever wants one more look than this is told to look who does that.
constexpr int kTries = 100;

// Throws Error unless the file is a segment that this library can use, and says then what it is instead, and whose.
void check_file(const SharedFile& file, std::string_view name, HeaderCopy& copy) {
  read_header(file, copy);
  try {
    validate(copy, quoted_segment(name));
  } catch (const Error& error) {
    const FileFacts facts = file.facts();
    throw Error(error.errc(),
                std::string(error.what()) + "; it is " + describe(facts) + ", and " + how_to_remove(facts));
  }
}

// A name is free for anybody to take. Whoever asks for a segment that nobody else may open does not want one whose
// owner is somebody else (who may read it, and take its pages away), or that was put there under a second name.
void refuse_a_strangers(const FileFacts& facts, std::string_view name) {
  const bool own = facts.owner == ::geteuid() || facts.owner == 0;
  if (own && facts.links <= 1) return;
  throw Error(Errc::permission_denied,
              quoted_segment(name) + " is there already and " +
                  (own ? "has another name as well" : "belongs to somebody else") + " (" + owner_and_mode(facts) +
                  "; this process has " + platform::this_user() +
                  "), and one that nobody else may open was asked for: take another name, or, if this one is to be "
                  "trusted, open it, or ask for the mode that it has");
}

// Nothing if there is none.
std::optional<Obtained> open_if_there(std::string_view name, const SegmentOptions& options) {
  std::optional<SharedFile> file = SharedFile::find(name, FileAccess::read_write);
  if (!file) return std::nullopt;
  const FileFacts facts = file->facts();
  if ((options.mode & 077) == 0) refuse_a_strangers(facts, name);
  HeaderCopy copy;
  check_file(*file, name, copy);
  return Obtained{std::make_shared<SegmentCore>(std::string(name), *file, copy.header, FileAccess::read_write), false,
                  facts.mode};
}

// Whoever may read a file may take locks for reading on it, and a lock for reading on the byte of the maintenance lock
// keeps everybody from flips and recovery. So nobody may read who is not trusted to write.
void check_mode(unsigned mode) {
  if (mode > 0777 || (mode & 0600) != 0600) {
    throw Error(Errc::invalid_argument, "the mode must be between 0600 and 0777 and let the owner read and write");
  }
  for (const unsigned shift : {3u, 0u}) {
    if ((mode >> shift & 06) != 04) continue;
    char text[8];
    std::snprintf(text, sizeof text, "%04o", mode);
    throw Error(
        Errc::invalid_argument,
        std::string("the mode ") + text + " lets " + (shift == 3 ? "the group" : "others") +
            " read but not write: whoever may read can take file locks that stop writers, readers and recovery, "
            "and even readers have to write to their own slot. Give both (0660, 0666) or neither (0600)");
  }
}

// A whole segment, but for its name.
struct Unnamed {
  SharedFile file;
  std::shared_ptr<SegmentCore> core;
};

Unnamed make_unnamed(std::string_view name, unsigned mode, const layout::Geometry& geometry) {
  SharedFile file = SharedFile::make(mode);
  SAPBUF_KILL_POINT("create.made");
  file.allocate(geometry.total_bytes);
  SAPBUF_KILL_POINT("create.allocated");
  HeaderCopy copy;
  {
    const auto region = file.map(FileAccess::read_write, 0, geometry.slabs_at);
    auto* const base = static_cast<std::byte*>(region.get_address());
    initialise(base, geometry);
    copy_header(*reinterpret_cast<const SegmentHeader*>(base), copy.header);
  }
  SAPBUF_KILL_POINT("create.ready");
  auto core = std::make_shared<SegmentCore>(std::string(name), file, copy.header, FileAccess::read_write);
  return {std::move(file), std::move(core)};
}

// What was opened before it had a name is called "deleted" in /proc/PID/maps and by lsof(8) for ever, where people and
// tools look for those who have a segment. So it is opened once more; if that cannot be done, it works as it is.
std::shared_ptr<SegmentCore> open_by_name(std::string_view name, std::shared_ptr<SegmentCore> made) {
  try {
    std::shared_ptr<SegmentCore> again = open_named(name, FileAccess::read_write).core;
    if (again->creation_id() == made->creation_id()) return again;
  } catch (const std::exception&) {
  }
  return made;
}

// Returns if nothing has the name (any more).
void refuse_if_taken(std::string_view name) {
  const platform::PathFacts found = platform::facts_of_path(platform::object_path(name));
  if (found.error != 0) return;  // making it will tell
  std::string text = quoted_segment(name) + " exists already";
  try {
    const std::optional<SharedFile> file = SharedFile::find(name, FileAccess::read_only);
    if (!file) return;
    HeaderCopy copy;
    check_file(*file, name, copy);
  } catch (const Error& error) {
    const bool unusable = error.errc() == Errc::incompatible || error.errc() == Errc::corrupt;
    text += unusable ? std::string(", and no call can use it: ") + error.what() : ", as " + describe(found.facts);
  }
  throw Error(Errc::exists, text);
}

// --- Memory that the caller supplies -------------------------------------------------------------------------------

// Memory without a descriptor belongs to one process. Its locks live in a memfd that all segments on that memory share,
// and that this process finds by the creation id as long as one of them is open.
using OwnedDescriptor = std::shared_ptr<platform::KeptDescriptor>;

// Closes it at the end of a block, however that is left.
struct Closing {
  const int descriptor;
  ~Closing() { ::close(descriptor); }
};

OwnedDescriptor make_lock_file() {
  const auto kept = std::make_shared<platform::KeptDescriptor>();
  const int made = ::memfd_create("sapbuf-locks", MFD_CLOEXEC);
  if (made < 0) platform::throw_system_error(errno, "cannot make a memfd for the segment's locks");
  const Closing closing{made};
  const auto identity = platform::identity_of(made);
  if (!identity) platform::throw_system_error(errno, "cannot look at the memfd for the segment's locks");
  const std::string path = "/proc/thread-self/fd/" + std::to_string(made);
  const int error = kept->open(path.c_str(), O_RDWR, *identity);
  if (error != 0) platform::throw_system_error(error, "cannot open the memfd for the segment's locks");
  return kept;
}

// Makes the file if there is none yet and `make` says so; otherwise there may be nothing.
OwnedDescriptor private_lock_file(std::uint64_t creation_id, bool make) {
  static std::mutex mutex;
  // By process, too: a child made by fork has a copy of the memory, and must not share its parent's locks.
  static auto* const files = new std::map<std::pair<std::uint64_t, pid_t>, std::weak_ptr<platform::KeptDescriptor>>;
  const std::lock_guard guard{mutex};
  std::erase_if(*files, [](const auto& file) { return file.second.expired(); });
  const std::pair key{creation_id, ::getpid()};
  if (const auto found = files->find(key); found != files->end()) {
    if (OwnedDescriptor file = found->second.lock()) return file;
  }
  if (!make) return nullptr;
  const OwnedDescriptor file = make_lock_file();
  files->insert_or_assign(key, file);
  return file;
}

std::shared_ptr<SegmentCore> core_in_memory(const Memory& memory, const SegmentHeader& header) {
  if (memory.descriptor >= 0) return std::make_shared<SegmentCore>(memory, memory.descriptor, nullptr, header);
  OwnedDescriptor file = private_lock_file(header.creation_id, true);
  const int descriptor = file->is_ours() ? file->number() : -1;
  return std::make_shared<SegmentCore>(memory, descriptor, std::move(file), header);
}

void check_memory(const Memory& memory, std::uint64_t needed) {
  if (reinterpret_cast<std::uintptr_t>(memory.bytes.data()) % layout::kLineBytes != 0) {
    throw Error(Errc::invalid_argument, "the supplied memory must be aligned to 64 bytes");
  }
  if (memory.bytes.size() < needed) {
    throw Error(Errc::no_space, "the supplied memory has " + std::to_string(memory.bytes.size()) + " bytes; " +
                                    std::to_string(needed) + " are needed");
  }
}

// Whether anybody holds one of the library's locks on the file. Locks for reading do not count: they are none of them.
bool is_in_use(int descriptor) {
  struct flock any {};
  any.l_type = F_RDLCK;
  any.l_whence = SEEK_SET;
  any.l_start = static_cast<off_t>(layout::kLockBase);  // up to the end, wherever that is
  if (::fcntl(descriptor, F_OFD_GETLK, &any) != 0) {
    platform::throw_system_error(errno, "cannot ask whether the supplied memory is in use");
  }
  return any.l_type != F_UNLCK;
}

// The locks say whether anybody is there, whatever the bytes say. Memory without a descriptor is known by the creation
// id that stands in it.
void refuse_if_in_use(const Memory& memory) {
  OwnedDescriptor own;
  if (memory.descriptor < 0) {
    const auto& header = *reinterpret_cast<const SegmentHeader*>(memory.bytes.data());
    if (header.magic == layout::kMagic) own = private_lock_file(header.creation_id, false);
    if (!own) return;
  }
  if (own && !own->is_ours()) return;  // closed by somebody: nobody can be asked
  if (!is_in_use(own ? own->number() : memory.descriptor)) return;
  throw Error(Errc::busy, "the supplied memory holds a segment that somebody is attached to: let them detach first");
}

}  // namespace

Obtained open_named(std::string_view name, FileAccess access) {
  SharedFile file = SharedFile::open(name, access);
  const FileFacts facts = file.facts();
  HeaderCopy copy;
  check_file(file, name, copy);
  return {std::make_shared<SegmentCore>(std::string(name), file, copy.header, access), false, facts.mode};
}

Obtained create_named(std::string_view name, const SegmentOptions& options, IfExists if_exists) {
  const layout::Geometry geometry = geometry_of(options);
  check_mode(options.mode);
  std::optional<Unnamed> made;
  for (int tried = 0; tried < kTries; ++tried) {
    if (if_exists == IfExists::fail) {
      refuse_if_taken(name);
    } else if (std::optional<Obtained> there = open_if_there(name, options)) {
      return std::move(*there);
    }
    if (!made) made = make_unnamed(name, options.mode, geometry);
    if (made->file.give_name(name)) {
      SAPBUF_KILL_POINT("create.named");
      return {open_by_name(name, std::move(made->core)), true, options.mode};
    }
  }
  throw Error(Errc::busy, quoted_segment(name) + " is made and removed again all the time by somebody else");
}

std::shared_ptr<SegmentCore> create_in_memory(Memory memory, const SegmentOptions& options) {
  const layout::Geometry geometry = geometry_of(options);
  check_memory(memory, geometry.total_bytes);
  std::byte* const base = memory.bytes.data();
  refuse_if_in_use(memory);
  // First the old header, so that what is made here is unfinished until the last store, whatever the memory held.
  std::fill_n(base, layout::kPageBytes, std::byte{0});
  std::fill_n(base, geometry.total_bytes, std::byte{0});
  initialise(base, geometry);
  return core_in_memory(memory, *reinterpret_cast<const SegmentHeader*>(base));
}

std::shared_ptr<SegmentCore> open_in_memory(Memory memory) {
  check_memory(memory, layout::kPageBytes);
  HeaderCopy copy;
  copy.bytes = memory.bytes.size();
  copy_header(*reinterpret_cast<const SegmentHeader*>(memory.bytes.data()), copy.header);
  if (is_unfinished(copy.header)) throw Error(Errc::not_found, "there is no finished segment in the supplied memory");
  validate(copy, "the segment in the supplied memory");
  return core_in_memory(memory, copy.header);
}

}  // namespace sapbuf::detail
