// What the library's names are to a linker.
#pragma once

// The version of the C++ interface, a part of the name of every symbol: a program that was compiled for another one is
// refused by the linker, or the loader, and does not take one layout of a class for another. shm/docs/stability.md says
// when it changes.
#define SAPBUF_ABI v0_1

// The namespace of the library's own parts: `namespace SAPBUF_DETAIL {`.
#define SAPBUF_DETAIL sapbuf::inline SAPBUF_ABI::detail

// Around the declarations of a public header: they are in that version's namespace, and can be seen from outside a shared
// library, in which everything else is hidden.
#define SAPBUF_BEGIN _Pragma("GCC visibility push(default)") namespace sapbuf::inline SAPBUF_ABI {
#define SAPBUF_END \
  }                \
  _Pragma("GCC visibility pop")
