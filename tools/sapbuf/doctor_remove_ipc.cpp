// systemd's RemoveIPC: when a user's last session ends, systemd-logind deletes everything in /dev/shm that belongs to
// that user.
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

#include "sapbuf/doctor.hpp"

namespace sapbuf::tools {

namespace {

namespace fs = std::filesystem;

// Users with lower numbers are the system's own: RemoveIPC leaves them alone.
constexpr uid_t kFirstNormalUser = 1000;

constexpr const char* kConfigurationRoots[] = {"/usr/lib/systemd", "/usr/local/lib/systemd", "/run/systemd",
                                               "/etc/systemd"};

bool logind_runs() {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc", error)) {
    std::ifstream file(entry.path() / "comm");
    std::string name;
    if (std::getline(file, name) && name == "systemd-logind") return true;
  }
  return false;
}

struct Setting {
  std::optional<bool> chosen;         // "RemoveIPC=no"
  std::optional<bool> commented_out;  // "#RemoveIPC=yes": the default that logind was built with
};

void read_configuration(const fs::path& path, Setting& setting) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    line.erase(std::remove_if(line.begin(), line.end(), [](unsigned char c) { return c == ' ' || c == '\t'; }),
               line.end());
    const bool commented = line.starts_with('#');
    if (commented) line.erase(0, 1);
    if (!line.starts_with("RemoveIPC=")) continue;
    const std::string value = line.substr(line.find('=') + 1);
    const bool removes = value == "yes" || value == "true" || value == "on" || value == "1";
    (commented ? setting.commented_out : setting.chosen) = removes;
  }
}

// Files by which an administrator changes the main one, in the order in which they count.
std::vector<fs::path> drop_ins() {
  std::vector<fs::path> files;
  for (const char* root : kConfigurationRoots) {
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(fs::path{root} / "logind.conf.d", error)) {
      if (entry.path().extension() == ".conf") files.push_back(entry.path());
    }
  }
  std::stable_sort(files.begin(), files.end(),
                   [](const fs::path& a, const fs::path& b) { return a.filename() < b.filename(); });
  return files;
}

bool is_on() {
  Setting setting;
  for (const char* root : kConfigurationRoots) read_configuration(fs::path{root} / "logind.conf", setting);
  for (const fs::path& file : drop_ins()) read_configuration(file, setting);
  return setting.chosen.value_or(setting.commented_out.value_or(true));
}

bool lingers() {
  const passwd* const user = ::getpwuid(::geteuid());
  std::error_code error;
  return user != nullptr && fs::exists(fs::path{"/var/lib/systemd/linger"} / user->pw_name, error);
}

}  // namespace

Finding check_remove_ipc() {
  const std::string remedy =
      "put RemoveIPC=no into /etc/systemd/logind.conf.d/sapbuf.conf and restart systemd-logind; or run programs as a "
      "system user; or loginctl enable-linger USER";
  if (!logind_runs()) return {"RemoveIPC", Mark::ok, "systemd-logind does not run here: nobody deletes segments", {}};
  if (!is_on()) return {"RemoveIPC", Mark::ok, "is off: segments outlive their user's sessions", {}};
  if (::geteuid() < kFirstNormalUser) {
    return {"RemoveIPC", Mark::warning,
            "is on: this user's segments are safe, but those of normal users go when they log out", remedy};
  }
  if (lingers()) return {"RemoveIPC", Mark::ok, "is on, but this user lingers: segments stay", {}};
  return {"RemoveIPC", Mark::bad, "is on: this user's segments are deleted at the end of the last session", remedy};
}

}  // namespace sapbuf::tools
