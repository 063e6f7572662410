#include "segment/creation.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <new>
#include <optional>
#include <random>

#include <sapbuf/detail/kill_point.hpp>

#include "platform/clock.hpp"
#include "platform/system_error.hpp"

namespace sapbuf::detail {
namespace {

namespace bip = boost::interprocess;

using layout::InitState;
using layout::SegmentHeader;
using platform::FileAccess;
using platform::LockFile;
using platform::SharedFile;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr std::uint64_t kDefaultExtentBytes = 16 * 1024;
constexpr std::uint64_t kPatienceNs = 5'000'000'000;  // for a live creator

std::string quoted(std::string_view name) {
  return name.empty() ? "the segment in the supplied memory" : "segment '" + std::string(name) + "'";
}

std::uint64_t random_id() {
  std::random_device device;
  return (std::uint64_t{device()} << 32 | device()) | 1;
}

// The parts of the header that creation has not reached yet are zero.
bool is_unfinished(const SegmentHeader& header) noexcept {
  return (header.magic == 0 || header.magic == layout::kMagic) &&
         header.init_state.load(std::memory_order_acquire) != static_cast<std::uint64_t>(InitState::ready);
}

// Everything that must hold before a byte behind the header is believed.
void validate(const SegmentHeader& header, std::uint64_t file_bytes, std::string_view name) {
  if (header.magic != layout::kMagic) {
    throw Error(Errc::incompatible, quoted(name) + " is not a sapbuf segment (wrong magic)");
  }
  if (header.byte_order != layout::kByteOrderMark) {
    throw Error(Errc::incompatible, quoted(name) + " was made on a machine with another byte order");
  }
  if (header.abi_version != layout::kAbiVersion || header.layout_hash != layout::layout_hash()) {
    throw Error(Errc::incompatible, quoted(name) + " has ABI version " + std::to_string(header.abi_version) +
                                        ", this library " + std::to_string(layout::kAbiVersion) +
                                        (header.abi_version == layout::kAbiVersion ? " with another layout" : "") +
                                        ": use the version that made it, or remove it and make it anew");
  }
  layout::Geometry expected = header.geometry;
  if (const auto problem = layout::problem_with(expected)) {
    throw Error(Errc::corrupt, quoted(name) + " is corrupt: " + *problem);
  }
  if (header.geometry.has_unknown()) {
    throw Error(Errc::incompatible, quoted(name) +
                                        " says more of itself than this library understands: use the version "
                                        "that made it, or remove it and make it anew");
  }
  layout::place(expected);
  if (!(expected == header.geometry)) {
    throw Error(Errc::corrupt, quoted(name) + " is corrupt: its parts are not where its geometry puts them");
  }
  if (file_bytes < expected.total_bytes) {
    throw Error(Errc::corrupt, quoted(name) + " is truncated: it has " + std::to_string(file_bytes) + " bytes of " +
                                   std::to_string(expected.total_bytes));
  }
}

// The header as the file has it; all zero where the file is too short.
struct HeaderCopy {
  SegmentHeader header{};
  std::uint64_t file_bytes = 0;
};
void copy_header(const SegmentHeader& from, SegmentHeader& to) noexcept {
  to.magic = from.magic;
  to.abi_version = from.abi_version;
  to.byte_order = from.byte_order;
  to.layout_hash = from.layout_hash;
  to.creation_id = from.creation_id;
  to.created_at_ns = from.created_at_ns;
  to.init_state.store(from.init_state.load(std::memory_order_acquire), relaxed);
  to.geometry = from.geometry;
}

void read_header(const SharedFile& file, HeaderCopy& copy) {
  copy.file_bytes = file.size();
  if (copy.file_bytes == 0) return;
  alignas(SegmentHeader) std::byte bytes[sizeof(SegmentHeader)] = {};
  if (!file.read(bytes, sizeof bytes, 0)) {
    copy.header.magic = ~std::uint64_t{0};  // shorter than any header: not ours
    return;
  }
  copy_header(*reinterpret_cast<const SegmentHeader*>(bytes), copy.header);
}

// Fills zeroed memory. The last store makes it a segment.
void initialise(std::byte* base, const layout::Geometry& geometry) {
  auto& header = *new (base) SegmentHeader{};
  header.magic = layout::kMagic;
  header.abi_version = layout::kAbiVersion;
  header.byte_order = layout::kByteOrderMark;
  header.layout_hash = layout::layout_hash();
  header.creation_id = random_id();
  header.created_at_ns = platform::wall_clock_ns();
  header.geometry = geometry;
  SAPBUF_KILL_POINT("create.header");
  // Generation 1 is active in slab 0; everything else is right as zero.
  auto& control = *reinterpret_cast<layout::Control*>(base + geometry.control_at);
  auto& descriptor = *reinterpret_cast<layout::SlabDescriptor*>(base + geometry.descriptors_at);
  descriptor.frames_before.store(1, relaxed);
  descriptor.opened_ns.store(platform::coarse_monotonic_ns(), relaxed);
  descriptor.life.store(layout::SlabLife::make(1, layout::SlabState::active).word, relaxed);
  control.cursor.store(layout::Cursor::make(1, 0, 0).word, relaxed);
  SAPBUF_KILL_POINT("create.filled");
  // create: release, so that an opener that finds it ready finds all of it.
  header.init_state.store(static_cast<std::uint64_t>(InitState::ready), std::memory_order_release);
}

void nap() noexcept {
  const timespec millisecond{0, 1'000'000};
  ::nanosleep(&millisecond, nullptr);
}

[[noreturn]] void throw_stuck_creator(std::string_view name) {
  throw Error(Errc::busy,
              quoted(name) + " is being created by a live process that does not come to an end (is it stopped?)");
}

// Gives an unfinished object its space, and maps its control part. Where the system refuses, nothing stays behind. The
// creation lock is held.
bip::mapped_region allocate_and_map(SharedFile& file, std::string_view name, const layout::Geometry& geometry) {
  try {
    file.allocate(geometry.total_bytes);
    SAPBUF_KILL_POINT("create.allocated");
    return file.map(FileAccess::read_write, 0, geometry.slabs_at);
  } catch (const Error&) {
    SharedFile::remove(name);
    throw;
  }
}

// One try with the object that has the name now. Nothing: the object was removed, or a live creator is at work; try
// again.
std::shared_ptr<SegmentCore> try_create(std::string_view name, const SegmentOptions& options,
                                        const layout::Geometry& geometry, IfExists if_exists) {
  SharedFile file = SharedFile::open_or_create(name, options.mode);
  SAPBUF_KILL_POINT("create.opened");
  HeaderCopy copy;
  {
    LockFile lock{file.descriptor()};
    if (!lock.try_lock(layout::kCreationLock)) return nullptr;
    if (!file.has_name()) return nullptr;
    SAPBUF_KILL_POINT("create.locked");
    read_header(file, copy);
    if (is_unfinished(copy.header)) {
      const auto region = allocate_and_map(file, name, geometry);
      initialise(static_cast<std::byte*>(region.get_address()), geometry);
      SAPBUF_KILL_POINT("create.ready");
      read_header(file, copy);
    } else if (if_exists == IfExists::fail && copy.header.magic == layout::kMagic) {
      throw Error(Errc::exists, quoted(name) + " exists already");
    }
  }
  validate(copy.header, copy.file_bytes, name);
  return std::make_shared<SegmentCore>(std::string(name), std::move(file), copy.header, FileAccess::read_write);
}

// --- Memory that the caller supplies -------------------------------------------------------------------------------

// Memory without a descriptor belongs to one process. Its locks live in a memfd that all segments on that memory share,
// and that this process finds by the creation id as long as one of them is open.
using OwnedDescriptor = std::shared_ptr<const int>;

OwnedDescriptor private_lock_file(std::uint64_t creation_id) {
  static std::mutex mutex;
  // By process, too: a child made by fork has a copy of the memory, and must not share its parent's locks.
  static auto* const files = new std::map<std::pair<std::uint64_t, pid_t>, std::weak_ptr<const int>>;
  const std::lock_guard guard{mutex};
  std::erase_if(*files, [](const auto& file) { return file.second.expired(); });
  const std::pair key{creation_id, ::getpid()};
  if (const auto found = files->find(key); found != files->end()) {
    if (OwnedDescriptor file = found->second.lock()) return file;
  }
  const int descriptor = ::memfd_create("sapbuf-locks", MFD_CLOEXEC);
  if (descriptor < 0) platform::throw_system_error(errno, "cannot make a memfd for the segment's locks");
  const OwnedDescriptor file{new int{descriptor}, [](const int* owned) {
                               ::close(*owned);
                               delete owned;
                             }};
  files->insert_or_assign(key, file);
  return file;
}

std::shared_ptr<SegmentCore> core_in_memory(const Memory& memory, const SegmentHeader& header) {
  if (memory.descriptor >= 0) return std::make_shared<SegmentCore>(memory, memory.descriptor, nullptr, header);
  OwnedDescriptor file = private_lock_file(header.creation_id);
  const int descriptor = *file;
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

}  // namespace

layout::Geometry geometry_of(const SegmentOptions& options) {
  layout::Geometry geometry;
  geometry.slabs = options.slabs;
  geometry.slab_bytes = options.slab_bytes;
  geometry.order = options.order;
  geometry.on_full = options.on_full;
  geometry.participants = options.participants;
  geometry.fences = options.fences;
  geometry.retain = options.retain ? 1 : 0;
  geometry.extent_bytes = options.extent_bytes;
  if (geometry.extent_bytes == 0) {
    geometry.extent_bytes = std::min(kDefaultExtentBytes, options.slab_bytes / 4);
    // The largest power of two up to there that divides the slab; a slab is a multiple of 4096, so there is one.
    std::uint64_t power = layout::kMinExtentBytes;
    while (power * 2 <= geometry.extent_bytes && options.slab_bytes % (power * 2) == 0) power *= 2;
    geometry.extent_bytes = power;
    // Few enough for the table of a slab's extents, whatever its size.
    while (geometry.slab_bytes / geometry.extent_bytes > layout::kMaxExtentsPerSlab) geometry.extent_bytes *= 2;
  }
  if (const auto problem = layout::problem_with(geometry)) throw Error(Errc::invalid_argument, *problem);
  layout::place(geometry);
  return geometry;
}

SegmentOptions options_of(const layout::Geometry& geometry) {
  return {.slabs = geometry.slabs,
          .slab_bytes = geometry.slab_bytes,
          .order = geometry.order,
          .extent_bytes = geometry.extent_bytes,
          .on_full = geometry.on_full,
          .participants = geometry.participants,
          .fences = geometry.fences,
          .retain = geometry.retain == 1};
}

std::shared_ptr<SegmentCore> create_named(std::string_view name, const SegmentOptions& options, IfExists if_exists) {
  const layout::Geometry geometry = geometry_of(options);
  if (options.mode > 0777 || (options.mode & 0600) != 0600) {
    throw Error(Errc::invalid_argument, "the mode must be between 0600 and 0777 and let the owner read and write");
  }
  const std::uint64_t deadline = platform::monotonic_ns() + kPatienceNs;
  for (;;) {
    if (auto core = try_create(name, options, geometry, if_exists)) return core;
    if (platform::monotonic_ns() > deadline) throw_stuck_creator(name);
    nap();
  }
}

std::shared_ptr<SegmentCore> open_named(std::string_view name, FileAccess access) {
  const std::uint64_t deadline = platform::monotonic_ns() + kPatienceNs;
  for (;;) {
    SharedFile file = SharedFile::open(name, access);
    // Asked before the header is read: a creator that ends between the two leaves a segment that is ready.
    const bool at_work = LockFile{file.descriptor(), false}.is_locked(layout::kCreationLock);
    HeaderCopy copy;
    read_header(file, copy);
    if (!is_unfinished(copy.header)) {
      validate(copy.header, copy.file_bytes, name);
      return std::make_shared<SegmentCore>(std::string(name), std::move(file), copy.header, access);
    }
    if (!at_work) {
      throw Error(Errc::not_found, quoted(name) + " was never finished: its creator died; create it again");
    }
    if (platform::monotonic_ns() > deadline) throw_stuck_creator(name);
    nap();
  }
}

std::shared_ptr<SegmentCore> create_in_memory(Memory memory, const SegmentOptions& options) {
  const layout::Geometry geometry = geometry_of(options);
  check_memory(memory, geometry.total_bytes);
  std::byte* const base = memory.bytes.data();
  // First the old header, so that what is made here is unfinished until the last store, whatever the memory held.
  std::fill_n(base, layout::kPageBytes, std::byte{0});
  std::fill_n(base, geometry.total_bytes, std::byte{0});
  initialise(base, geometry);
  return core_in_memory(memory, *reinterpret_cast<const SegmentHeader*>(base));
}

std::shared_ptr<SegmentCore> open_in_memory(Memory memory) {
  check_memory(memory, layout::kPageBytes);
  HeaderCopy copy;
  copy_header(*reinterpret_cast<const SegmentHeader*>(memory.bytes.data()), copy.header);
  if (is_unfinished(copy.header)) throw Error(Errc::not_found, "there is no finished segment in the supplied memory");
  validate(copy.header, memory.bytes.size(), {});
  return core_in_memory(memory, copy.header);
}

}  // namespace sapbuf::detail
