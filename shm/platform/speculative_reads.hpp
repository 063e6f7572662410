// Reading what its owner may be overwriting at that moment.
#pragma once

#if defined(__SANITIZE_THREAD__)
extern "C" void AnnotateIgnoreReadsBegin(const char* file, int line);
extern "C" void AnnotateIgnoreReadsEnd(const char* file, int line);
#endif

namespace sapbuf::platform {

// While it lives, ThreadSanitizer takes no notice of what this thread reads. For onlookers, who hold nothing, and throw
// away what they found if the memory turns out to have changed hands meanwhile.
class SpeculativeReads {
 public:
  SpeculativeReads() noexcept {
#if defined(__SANITIZE_THREAD__)
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
#endif
  }
  ~SpeculativeReads() {
#if defined(__SANITIZE_THREAD__)
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
#endif
  }
  SpeculativeReads(const SpeculativeReads&) = delete;
  SpeculativeReads& operator=(const SpeculativeReads&) = delete;
};

}  // namespace sapbuf::platform
