#include "segment.hpp"

#include <pybind11/stl.h>

#include "errors.hpp"
#include "facility.hpp"
#include "options.hpp"
#include "status.hpp"

namespace sapbuf::python {
namespace {

void bind_segment_options(py::module_& module) {
  py::class_<SegmentOptions>(module, "_SegmentOptions")
      .def(py::init([](std::uint32_t slabs, std::uint64_t slab_bytes, const std::string& order,
                       std::uint64_t extent_bytes, const std::string& on_full, std::uint32_t participants,
                       unsigned mode, const std::string& fences, bool retain, bool main_stream,
                       std::uint32_t attachments, std::uint32_t payload_alignment, std::uint32_t durable_readers) {
             return SegmentOptions{.slabs = slabs,
                                   .slab_bytes = slab_bytes,
                                   .order = order_of(order),
                                   .extent_bytes = extent_bytes,
                                   .on_full = on_full_of(on_full),
                                   .participants = participants,
                                   .mode = mode,
                                   .fences = fences_of(fences),
                                   .retain = retain,
                                   .main_stream = main_stream,
                                   .attachments = attachments,
                                   .payload_alignment = payload_alignment,
                                   .durable_readers = durable_readers};
           }),
           py::kw_only(), py::arg("slabs") = 2, py::arg("slab_bytes") = 1 << 20, py::arg("order") = "per-writer",
           py::arg("extent_bytes") = 0, py::arg("on_full") = "block", py::arg("participants") = 64,
           py::arg("mode") = 0600, py::arg("fences") = "membarrier", py::arg("retain") = false,
           py::arg("main_stream") = true, py::arg("attachments") = 0, py::arg("payload_alignment") = 8,
           py::arg("durable_readers") = 0);
}

void bind_stream_options(py::module_& module) {
  py::class_<StreamOptions>(module, "_StreamOptions")
      .def(py::init([](std::uint32_t slabs, std::uint64_t slab_bytes, const std::string& order,
                       std::uint64_t extent_bytes, const std::string& on_full, bool retain, std::uint32_t attachments,
                       std::uint32_t payload_alignment, std::uint32_t durable_readers) {
             return StreamOptions{.slabs = slabs,
                                  .slab_bytes = slab_bytes,
                                  .order = order_of(order),
                                  .extent_bytes = extent_bytes,
                                  .on_full = on_full_of(on_full),
                                  .retain = retain,
                                  .attachments = attachments,
                                  .payload_alignment = payload_alignment,
                                  .durable_readers = durable_readers};
           }),
           py::kw_only(), py::arg("slabs") = 2, py::arg("slab_bytes") = 1 << 20, py::arg("order") = "per-writer",
           py::arg("extent_bytes") = 0, py::arg("on_full") = "block", py::arg("retain") = false,
           py::arg("attachments") = 0, py::arg("payload_alignment") = 8, py::arg("durable_readers") = 0);
}

py::dict options_in_words(const StreamOptions& options) {
  using namespace py::literals;
  return py::dict("slabs"_a = options.slabs, "slab_bytes"_a = options.slab_bytes, "order"_a = word_of(options.order),
                  "extent_bytes"_a = options.extent_bytes, "on_full"_a = word_of(options.on_full),
                  "retain"_a = options.retain, "attachments"_a = options.attachments,
                  "payload_alignment"_a = options.payload_alignment, "durable_readers"_a = options.durable_readers);
}

py::dict options_in_words(const SegmentOptions& options) {
  py::dict words = options_in_words(options.stream());
  words["participants"] = options.participants;
  words["mode"] = options.mode;
  words["fences"] = word_of(options.fences);
  words["main_stream"] = options.main_stream;
  return words;
}

py::list durable_readers_of(const Stream& stream) {
  using namespace py::literals;
  py::list list;
  for (const DurableReaderInfo& reader : without_gil([&] { return stream.durable_readers(); })) {
    py::object away = py::none();
    if (reader.away_ms) away = py::float_(static_cast<double>(*reader.away_ms) / 1000);
    list.append(py::dict("name"_a = reader.name, "slot"_a = reader.slot, "away"_a = away,
                         "kept_bytes"_a = reader.kept_bytes, "behind_messages"_a = reader.behind_messages,
                         "behind_bytes"_a = reader.behind_bytes));
  }
  return list;
}

py::list facilities_of(const Segment& segment) {
  using namespace py::literals;
  py::list list;
  for (const FacilityInfo& facility : segment.facilities()) {
    list.append(py::dict("kind"_a = facility.kind, "name"_a = facility.name, "bytes"_a = facility.bytes,
                         "most_bytes"_a = facility.most_bytes, "created_ns"_a = facility.created_ns));
  }
  return list;
}

OpenSegment open_or_create(const std::string& name, const py::kwargs& keywords) {
  const auto options = options_of<SegmentOptions>(keywords);
  return OpenSegment{without_gil([&] { return Segment::open_or_create(name, options); })};
}

}  // namespace

Segment OpenSegment::get() const {
  if (is_closed()) raise("Closed", "this segment was closed");
  return *segment_;
}

Stream stream_of(py::handle segment_or_stream) {
  if (py::isinstance<Stream>(segment_or_stream)) return segment_or_stream.cast<const Stream&>();
  if (py::isinstance<OpenSegment>(segment_or_stream)) {
    return Stream::open(segment_or_stream.cast<const OpenSegment&>().get());
  }
  throw py::type_error("a Segment or a Stream is needed");
}

void bind_segment(py::module_& module) {
  bind_segment_options(module);
  py::class_<OpenSegment>(
      module, "Segment",
      "A segment of shared memory, /dev/shm/sapbuf.NAME, mapped into this process. Segment(name, **options) "
      "opens it, or makes it if it is not there. Closing it, or leaving its `with` block, keeps its name, "
      "and what was made from it. Pickles as its name.")
      .def(py::init(&open_or_create), py::arg("name"))
      .def_static(
          "create",
          [](const std::string& name, const py::kwargs& keywords) {
            const auto options = options_of<SegmentOptions>(keywords);
            return OpenSegment{without_gil([&] { return Segment::create(name, options); })};
          },
          py::arg("name"), "Makes it. Raises Exists, NoSpace, InvalidArgument.")
      .def_static(
          "open", [](const std::string& name) { return OpenSegment{without_gil([&] { return Segment::open(name); })}; },
          py::arg("name"), "Raises NotFound, Incompatible, Corrupt, PermissionDenied.")
      .def_static("open_or_create", &open_or_create, py::arg("name"),
                  "The segment as it stands if there is one, a new one otherwise; `created` says which.")
      .def_static(
          "remove", [](const std::string& name) { return without_gil([&] { return Segment::remove(name); }); },
          py::arg("name"),
          "Takes the name away; False if there was none. Processes that are attached keep what they have.")
      .def_static("list", &Segment::list, "Names of the segments of this host, sorted.")
      .def_property_readonly("name", [](const OpenSegment& segment) { return segment.get().name(); })
      .def_property_readonly("created", [](const OpenSegment& segment) { return segment.get().created(); })
      .def_property_readonly(
          "is_current", [](const OpenSegment& segment) { return segment.get().is_current(); },
          "Whether its name still refers to this very segment.")
      .def_property_readonly(
          "size", [](const OpenSegment& segment) { return segment.get().bytes(); }, "In bytes.")
      .def_property_readonly(
          "max_message_bytes", [](const OpenSegment& segment) { return segment.get().max_message_bytes(); },
          "Of its stream `main`. Raises NotFound if there is none.")
      .def(
          "options", [](const OpenSegment& segment) { return options_in_words(segment.get().options()); },
          "As it was made, in the words that create() takes.")
      .def(
          "facilities", [](const OpenSegment& segment) { return facilities_of(segment.get()); },
          "What lives in it: a dict for each, with its kind and name.")
      .def(
          "status",
          [](const OpenSegment& segment, const std::string& stream, double hung_after, bool lag) {
            const InspectOptions options{.hung_after = whole_milliseconds(Deadline::in(hung_after).left()), .lag = lag};
            return status_of(segment.get(), stream, options);
          },
          py::kw_only(), py::arg("stream") = "main", py::arg("hung_after") = 5.0, py::arg("lag") = true,
          "Who takes part, what each of them holds, and what has happened: the dict that `sapbuf status --json` "
          "prints. "
          "Nothing is attached. stream: what the keys of the first level are about. hung_after: seconds without "
          "progress, "
          "while others wait for what one holds. lag: whether to find out how far readers are behind.")
      .def("close", &OpenSegment::close, "Lets go of it. The memory stays, under its name.")
      .def("__enter__", [](const py::object& self) { return self; })
      .def("__exit__", [](OpenSegment& segment, const py::args&) { segment.close(); })
      .def("__reduce__",
           [](const py::object& self) { return reopening(py::make_tuple(py::type::of(self), self.attr("name"))); })
      .def("__repr__", [](const OpenSegment& segment) {
        return "<sapbuf.Segment " + (segment.is_closed() ? "(closed)" : segment.get().name()) + ">";
      });
}

void bind_stream(py::module_& module) {
  bind_stream_options(module);
  bind_facility<Stream, StreamOptions>(module, "Stream",
                                       "A stream in a segment, beside its stream `main`. Writer and Reader take one "
                                       "instead of a segment. Pickles as its name.")
      .def_property_readonly("max_message_bytes", &Stream::max_message_bytes)
      .def(
          "options", [](const Stream& stream) { return options_in_words(stream.options()); },
          "As it was made, in the words that create() takes.")
      .def("durable_readers", &durable_readers_of,
           "Readers whose place stays in the stream when they end: a list of dicts (name, slot or None while it is "
           "away, "
           "away seconds, kept_bytes, behind_messages, behind_bytes).")
      .def(
          "remove_durable_reader",
          [](const Stream& stream, const std::string& name) {
            return without_gil([&] { return stream.remove_durable_reader(name); });
          },
          py::arg("name"),
          "Forgets where that one is, and lets go of what was kept for it. False if there is none of that name. Raises "
          "Busy "
          "while a reader is attached by it.");
}

}  // namespace sapbuf::python
