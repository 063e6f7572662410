// Geometry: where the parts lie, and which sizes cannot work.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <cctype>

#include <sapbuf/layout/header.hpp>
#include <sapbuf/layout/stream_geometry.hpp>

#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;

struct Refused {
  const char* what;
  SegmentOptions options;
  std::vector<std::string> said;  // what the message must contain
};
std::ostream& operator<<(std::ostream& out, const Refused& refused) { return out << refused.what; }

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

const Refused kRefused[] = {
    {"no slabs", {.slabs = 0}, {"slabs is 0", "from 2 to 64"}},
    {"one slab", {.slabs = 1}, {"slabs is 1", "from 2 to 64"}},
    {"too many slabs", {.slabs = 65}, {"slabs is 65", "from 2 to 64"}},
    {"slabs too small", {.slab_bytes = 2048}, {"2048", "4096", "4 KiB to 4 GiB"}},
    {"slabs of nothing", {.slab_bytes = 0}, {"slab size is 0", "4 KiB to 4 GiB"}},
    {"slabs too large", {.slab_bytes = 4 * kGiB + 4096}, {"4294971392", "4 KiB to 4 GiB"}},
    {"slabs of all there is", {.slab_bytes = ~std::uint64_t{0}}, {"4 KiB to 4 GiB"}},
    {"slabs of no whole pages", {.slab_bytes = 5000}, {"5000", "multiple", "4096", "8192 would do"}},
    {"no participants", {.participants = 0}, {"participants is 0", "from 1 to 1024"}},
    {"too many participants", {.participants = 1025}, {"participants is 1025", "from 1 to 1024"}},
    {"extents too small", {.extent_bytes = 64}, {"extent size is 64", "256"}},
    {"extents larger than the slab", {.slab_bytes = 4096, .extent_bytes = 8192}, {"8192", "4096"}},
    {"extents that do not divide the slab",
     {.slab_bytes = 8192, .extent_bytes = 3072},
     {"3072", "divides", "2048 would do"}},
    {"extents of odd bytes", {.slab_bytes = 8192, .extent_bytes = 1000}, {"1000", "multiple of 64", "512 would do"}},
    {"more extents than the table holds", {.slab_bytes = 4 * kGiB, .extent_bytes = 256}, {"1048575", "would do"}},
    {"an order that is none", {.order = static_cast<Order>(2)}, {"per_writer", "total"}},
    {"a policy that is none", {.on_full = static_cast<OnFull>(3)}, {"block", "drop", "overwrite"}},
    {"more attachments than can be named", {.attachments = 7168}, {"7168", "from 1 to 7167"}},
    {"fences that are none", {.fences = static_cast<Fences>(2)}, {"membarrier", "full"}},
};

std::string problem_with(const SegmentOptions& options) {
  return message_of([&] { static_cast<void>(Segment::bytes_needed(options)); });
}

BOOST_AUTO_TEST_SUITE(geometry)

BOOST_DATA_TEST_CASE(a_size_that_cannot_work_is_refused_with_why_and_what_would, data::make(kRefused), refused) {
  BOOST_TEST(error_of([&] { static_cast<void>(Segment::bytes_needed(refused.options)); }) == Errc::invalid_argument);
  for (const std::string& part : refused.said) {
    BOOST_TEST(problem_with(refused.options).find(part) != std::string::npos,
               "'" << problem_with(refused.options) << "' does not say '" << part << "'");
  }
}

// The last number before "would do", or before " bytes or more would do", is one that does.
BOOST_AUTO_TEST_CASE(what_would_do_does) {
  const auto last_number_before_would = [](const std::string& text) {
    std::size_t end = text.rfind("would do");
    while (end > 0 && std::isdigit(static_cast<unsigned char>(text[end - 1])) == 0) --end;
    std::size_t begin = end;
    while (begin > 0 && std::isdigit(static_cast<unsigned char>(text[begin - 1])) != 0) --begin;
    return std::stoull(text.substr(begin, end - begin));
  };
  for (const std::uint64_t slab_bytes : {std::uint64_t{5000}, 4097 + kGiB, 4 * kGiB - 1}) {
    const std::string said = problem_with({.slab_bytes = slab_bytes});
    BOOST_TEST(problem_with({.slab_bytes = last_number_before_would(said)}) == "");
  }
  for (const std::uint64_t slab_bytes :
       {std::uint64_t{4096}, std::uint64_t{12288}, std::uint64_t{28672}, kGiB, 4 * kGiB}) {
    for (const std::uint64_t extent_bytes : {std::uint64_t{257}, std::uint64_t{300}, std::uint64_t{1000},
                                             std::uint64_t{3008}, slab_bytes - 64, slab_bytes / 2 + 64}) {
      const std::string said = problem_with({.slab_bytes = slab_bytes, .extent_bytes = extent_bytes});
      if (said.empty()) continue;
      BOOST_TEST_CONTEXT("slabs of " << slab_bytes << ", extents of " << extent_bytes << ": " << said) {
        BOOST_TEST(problem_with({.slab_bytes = slab_bytes, .extent_bytes = last_number_before_would(said)}) == "");
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(places_do_not_overlap_and_slabs_begin_at_pages) {
  for (const auto order : kOrders) {
    for (const std::uint32_t slabs : {2u, 3u, 64u}) {
      for (const std::uint64_t slab_bytes :
           {std::uint64_t{4096}, std::uint64_t{12288}, std::uint64_t{1} << 20, 4 * kGiB}) {
        for (const std::uint32_t participants : {1u, 64u, 1000u, 1024u}) {
          layout::StreamGeometry g;
          g.order = order;
          g.slabs = slabs;
          g.slab_bytes = slab_bytes;
          g.extent_bytes = slab_bytes / 4;
          g.participants = participants;
          g.attachments = layout::kMaxAttachments;
          layout::SegmentGeometry common;
          common.participants = participants;
          layout::place(common);
          layout::place(g, common.regions_at);
          BOOST_TEST(g.attached_places() <= layout::kMaxAttachedPlaces);
          BOOST_TEST(sizeof(layout::SegmentHeader) <= common.directory_at);
          BOOST_TEST(common.directory_at + sizeof(layout::Directory) <= common.control_at);
          BOOST_TEST(common.control_at + sizeof(layout::Control) <= common.slots_at);
          BOOST_TEST(common.slots_at + participants * sizeof(layout::ParticipantSlot) <= common.regions_at);
          BOOST_TEST(common.control_at % layout::kPageBytes == 0U);
          BOOST_TEST(common.slots_at % layout::kLineBytes == 0U);
          BOOST_TEST(common.regions_at % layout::kPageBytes == 0U);
          BOOST_TEST(g.head_at == common.regions_at);
          BOOST_TEST(g.head_at + sizeof(layout::FacilityHead) <= g.control_at);
          BOOST_TEST(g.control_at + sizeof(layout::StreamControl) <= g.slots_at);
          BOOST_TEST(g.slots_at + participants * sizeof(layout::StreamSlot) <= g.descriptors_at);
          BOOST_TEST(g.descriptors_at + slabs * sizeof(layout::SlabDescriptor) <= g.extents_at);
          const std::uint64_t table = order == Order::per_writer ? slabs * g.granules_per_slab() * 8 : 0;
          BOOST_TEST(g.extents_at + table <= g.attached_at);
          BOOST_TEST(g.attached_at + slabs * g.attached_bytes() <= g.slabs_at);
          BOOST_TEST(sizeof(layout::AttachedBuffers) + g.attached_places() * sizeof(layout::AttachedBuffer) <=
                     g.attached_bytes());
          BOOST_TEST(g.attached_at % layout::kLineBytes == 0U);
          BOOST_TEST(g.slabs_at + slabs * slab_bytes == g.end());
          BOOST_TEST(g.slab_at(slabs - 1) + slab_bytes == g.end());
          BOOST_TEST(g.control_at % layout::kLineBytes == 0U);
          BOOST_TEST(g.slots_at % layout::kLineBytes == 0U);
          BOOST_TEST(g.descriptors_at % layout::kLineBytes == 0U);
          BOOST_TEST(g.extents_at % 8 == 0U);
          BOOST_TEST(g.slabs_at % layout::kPageBytes == 0U);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(the_largest_and_the_smallest_segments_are_possible) {
  for (const auto order : kOrders) {
    BOOST_TEST(Segment::bytes_needed({.slabs = 64, .slab_bytes = 4 * kGiB, .order = order, .participants = 1024}) >
               256 * kGiB);
    BOOST_TEST(Segment::bytes_needed({.slabs = 2, .slab_bytes = 4096, .order = order, .participants = 1}) > 8192U);
  }
}

BOOST_AUTO_TEST_CASE(the_default_extent_fits_every_slab) {
  for (std::uint64_t pages = 1; pages < 3000; ++pages) {
    BOOST_TEST(problem_with({.slab_bytes = pages * 4096}) == "");
  }
  for (std::uint64_t pages = 1; pages < 3000; pages += 7) {
    BOOST_TEST(problem_with({.slab_bytes = 4 * kGiB - pages * 4096}) == "");
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
