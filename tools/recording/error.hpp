// Why a recording cannot be written or read.
#pragma once

#include <stdexcept>
#include <string>

namespace sapbuf::recording {

class RecordingError : public std::runtime_error {
 public:
  enum class Kind {
    exists,        // the file is there already
    in_use,        // somebody else records to it
    permission,    // the system says no
    no_recording,  // the file is none, or of another version
    no_zstd,       // it is compressed, or is to be, and zstd was not there when this was built
    system,        // anything else: no such file, no space left
  };

  RecordingError(Kind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  // With what errno says.
  static RecordingError of_errno(const std::string& what);

  Kind kind() const noexcept { return kind_; }

 private:
  Kind kind_;
};

}  // namespace sapbuf::recording
