// Objects of the library that live in small structs of the program's, which has `data` set as long as there is one.
#pragma once

#include <memory>
#include <new>
#include <utility>

namespace sapbuf::capi {

// C programs may copy the struct to somewhere else, and go on with one of the copies: the objects know nothing of where they
// are.
template <typename Object, typename Struct>
Object& object_in(Struct& place) noexcept {
  static_assert(sizeof(Object) <= sizeof place.reserved && alignof(Object) <= alignof(decltype(place.reserved)));
  return *std::launder(reinterpret_cast<Object*>(&place.reserved));
}
template <typename Object, typename Struct>
const Object& object_in(const Struct& place) noexcept {
  return object_in<Object>(const_cast<Struct&>(place));
}

template <typename Struct, typename Object>
void put_into(Struct& place, Object&& object) noexcept {
  using Stored = std::remove_cvref_t<Object>;
  static_assert(sizeof(Stored) <= sizeof place.reserved && alignof(Stored) <= alignof(decltype(place.reserved)));
  ::new (static_cast<void*>(&place.reserved)) Stored(std::forward<Object>(object));
  place.data = object_in<Stored>(place).bytes().data();
  place.size = object_in<Stored>(place).bytes().size();
}

// Lets go of the object, if there is one.
template <typename Object, typename Struct>
void end_in(Struct& place) noexcept {
  if (place.data == nullptr) return;
  std::destroy_at(&object_in<Object>(place));
  place.data = nullptr;
  place.size = 0;
}

}  // namespace sapbuf::capi
