#include <sapbuf/cell.hpp>

#include "capi/handles.hpp"
#include "capi/options.hpp"

using namespace sapbuf;
using capi::call;
using capi::fail;
using capi::needed;

struct sapbuf_cell {
  UntypedCell cell;
  const sapbuf_stop_flag* stop;
};

namespace {

CellOptions options_of(const sapbuf_cell_options& chosen) {
  return {.name = capi::text_or_none(chosen.name), .stop = capi::flag_of(chosen.stop)};
}

sapbuf_status tell_version(std::uint64_t version, std::uint64_t* to) {
  if (to != nullptr) *to = version;
  return SAPBUF_OK;
}

}  // namespace

sapbuf_status sapbuf_cell_open_or_create(sapbuf_segment* segment, const char* name, size_t size, const void* initial,
                                         const sapbuf_cell_options* options, sapbuf_cell** cell) noexcept {
  return capi::give(cell, [&] {
    const sapbuf_cell_options chosen = capi::chosen(options);
    const std::span first{static_cast<const std::byte*>(initial), initial == nullptr ? 0 : size};
    return sapbuf_cell{UntypedCell::open_or_create(needed(segment, "segment").segment, &needed(name, "name"), size,
                                                   first, options_of(chosen)),
                       chosen.stop};
  });
}

sapbuf_status sapbuf_cell_open_to_read(sapbuf_segment* segment, const char* name, size_t size,
                                       const sapbuf_cell_options* options, sapbuf_cell** cell) noexcept {
  return capi::give(cell, [&] {
    const sapbuf_cell_options chosen = capi::chosen(options);
    const Segment& in = needed(segment, "segment").segment;
    return sapbuf_cell{UntypedCell::open_to_read(in, &needed(name, "name"), size, options_of(chosen)), chosen.stop};
  });
}

sapbuf_status sapbuf_cell_remove(sapbuf_segment* segment, const char* name) noexcept {
  return call([&] {
    return UntypedCell::remove(needed(segment, "segment").segment, &needed(name, "name")) ? SAPBUF_OK
                                                                                          : fail(SAPBUF_NOT_FOUND);
  });
}

void sapbuf_cell_close(sapbuf_cell* cell) noexcept { delete cell; }

sapbuf_status sapbuf_cell_load(sapbuf_cell* cell, void* value, uint64_t* version) noexcept {
  return call([&] {
    UntypedCell& from = needed(cell, "cell").cell;
    return tell_version(from.load({&needed(static_cast<std::byte*>(value), "value"), from.size()}), version);
  });
}

sapbuf_status sapbuf_cell_store(sapbuf_cell* cell, const void* value, uint64_t* version) noexcept {
  return call([&] {
    UntypedCell& to = needed(cell, "cell").cell;
    return tell_version(to.store({&needed(static_cast<const std::byte*>(value), "value"), to.size()}), version);
  });
}

sapbuf_status sapbuf_cell_update(sapbuf_cell* cell, bool (*change)(void* context, void* value), void* context,
                                 uint64_t* version) noexcept {
  return call([&] {
    UntypedCell& of = needed(cell, "cell").cell;
    needed(change, "change");
    const auto ask = [&](std::span<std::byte> value) {
      if (!change(context, value.data())) throw capi::Abandoned{};
    };
    return tell_version(of.update(ask), version);
  });
}

sapbuf_status sapbuf_cell_version(sapbuf_cell* cell, uint64_t* version) noexcept {
  return call([&] {
    const UntypedCell& of = needed(cell, "cell").cell;
    needed(version, "version") = of.version();
    return SAPBUF_OK;
  });
}

sapbuf_status sapbuf_cell_wait_changed(sapbuf_cell* cell, uint64_t seen, int64_t timeout_ns) noexcept {
  return call([&] {
    const sapbuf_cell& of = needed(cell, "cell");
    if (of.cell.wait_changed(seen, std::chrono::nanoseconds{timeout_ns})) return SAPBUF_OK;
    return fail(capi::is_raised(of.stop) ? SAPBUF_STOPPED : SAPBUF_TIMEOUT);
  });
}
