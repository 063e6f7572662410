// What streams need of the system.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <sapbuf/sapbuf.hpp>

#include "common/human.hpp"
#include "common/process.hpp"
#include "common/segment_file.hpp"
#include "sapbuf/doctor.hpp"

namespace sapbuf::tools {

namespace {

// Less than this is left: hardly any segment can be made.
constexpr std::uint64_t kNearlyNothing = std::uint64_t{4} << 20;
// What containers get unless somebody asks for more.
constexpr std::uint64_t kContainerDefault = std::uint64_t{64} << 20;

struct flock whole_file(short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_len = 1;
  return lock;
}

// Takes a lock through one open file description, and asks for it through another. Empty if that works.
std::string try_liveness_lock() {
  const Descriptor owner{::memfd_create("sapbuf-doctor", MFD_CLOEXEC)};
  if (!owner) return fmt::format("memfd_create: {}", std::strerror(errno));
  struct flock lock = whole_file(F_WRLCK);
  if (::fcntl(owner.get(), F_OFD_SETLK, &lock) != 0) return fmt::format("F_OFD_SETLK: {}", std::strerror(errno));
  const Descriptor other{::open(fmt::format("/proc/self/fd/{}", owner.get()).c_str(), O_RDWR | O_CLOEXEC)};
  if (!other) return {};  // no /proc: the lock was taken, and that is all that can be tried
  struct flock question = whole_file(F_WRLCK);
  if (::fcntl(other.get(), F_OFD_GETLK, &question) != 0) return fmt::format("F_OFD_GETLK: {}", std::strerror(errno));
  return question.l_type == F_UNLCK ? "a lock that is held is not seen" : "";
}

}  // namespace

Finding check_shared_memory() {
  Finding finding{kShmDirectory, Mark::ok, {}, {}};
  struct statfs kind {};
  struct statvfs space {};
  if (::statfs(kShmDirectory, &kind) != 0 || ::statvfs(kShmDirectory, &space) != 0) {
    finding.mark = Mark::bad;
    finding.text = fmt::format("cannot be looked at ({}): no segment can be made", std::strerror(errno));
    finding.remedy = "mount -t tmpfs -o mode=1777 tmpfs /dev/shm";
    return finding;
  }
  const std::uint64_t size = space.f_blocks * space.f_frsize;
  const std::uint64_t available = space.f_bavail * space.f_frsize;
  finding.text = fmt::format("{}, {} of {} free", kind.f_type == TMPFS_MAGIC ? "tmpfs" : "not a tmpfs",
                             human_bytes(available), human_bytes(size));
  if ((space.f_flag & ST_RDONLY) != 0) {
    finding.mark = Mark::bad;
    finding.text += "; mounted read-only: no segment can be made or used";
    finding.remedy = "mount -o remount,rw /dev/shm";
  } else if (::access(kShmDirectory, W_OK | X_OK) != 0) {
    finding.mark = Mark::bad;
    finding.text += "; this user must not create files there";
    finding.remedy = "chmod 1777 /dev/shm";
  } else if (space.f_files != 0 && space.f_ffree == 0) {
    finding.mark = Mark::bad;
    finding.text += ", but no inode is left: no segment can be made";
    finding.remedy = "remove files that nobody needs (ls -l /dev/shm), or mount -o remount,nr_inodes=... /dev/shm";
  } else if (available < kNearlyNothing) {
    finding.mark = Mark::bad;
    finding.text += ": hardly any segment can be made";
    finding.remedy = "remove what nobody needs (sapbuf ls, ls -l /dev/shm), or mount -o remount,size=... /dev/shm";
  } else if (size <= kContainerDefault) {
    finding.mark = Mark::warning;
    finding.text += ": as small as containers have it by default";
    finding.remedy = "start the container with --shm-size, or share the host's with --ipc=host";
  } else if (kind.f_type != TMPFS_MAGIC) {
    finding.mark = Mark::warning;
    finding.text += ": what is written there may go to a disk";
    finding.remedy = "mount -t tmpfs -o mode=1777 tmpfs /dev/shm";
  }
  return finding;
}

Finding check_space() {
  const std::vector<SpaceLimit> limits = space_limits();
  if (limits.empty()) return {"space", Mark::ok, "no limit is known", {}};
  std::string list;
  for (const SpaceLimit& limit : limits) {
    list += fmt::format("{}{} by {}", list.empty() ? "" : "; ", human_bytes(limit.bytes), limit.what);
  }
  Finding finding{"space", Mark::ok, "a new segment may have at most " + list, {}};
  if (limits.front().bytes < Segment::bytes_needed({})) {
    finding.mark = Mark::bad;
    finding.text += fmt::format("; one with the default options needs {}", human_bytes(Segment::bytes_needed({})));
    finding.remedy = limits.front().remedy;
  }
  return finding;
}

Finding check_liveness_locks() {
  const std::string problem = try_liveness_lock();
  if (problem.empty()) return {"OFD locks", Mark::ok, "work: deaths can be proved", {}};
  return {"OFD locks", Mark::bad, fmt::format("do not work ({}): no segment can be used", problem),
          "use Linux 3.15 or later; in a sandbox, allow fcntl commands F_OFD_SETLK and F_OFD_GETLK"};
}

Finding check_membarrier() {
  constexpr long kNeeded = MEMBARRIER_CMD_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED;
  const std::string remedy =
      "use Linux 4.16 or later; in a sandbox, allow membarrier; or make segments with sapbuf create --fences full";
  const long commands = ::syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
  if (commands < 0) {
    return {"membarrier", Mark::bad, fmt::format("is refused ({}): writers cannot attach", std::strerror(errno)),
            remedy};
  }
  if ((commands & kNeeded) != kNeeded) {
    return {"membarrier", Mark::bad, "has no GLOBAL_EXPEDITED: writers cannot attach", remedy};
  }
  if (::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) != 0) {
    return {"membarrier", Mark::bad, fmt::format("cannot be registered for ({})", std::strerror(errno)), remedy};
  }
  return {"membarrier", Mark::ok, "GLOBAL_EXPEDITED works: committing needs no fence", {}};
}

}  // namespace sapbuf::tools
