// What the state builder writes is what the library means by it, and what it reads back.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "support/invariants.hpp"
#include "support/state_builder.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;
using Lines = std::vector<std::string>;

BOOST_AUTO_TEST_SUITE(state_builder)

BOOST_AUTO_TEST_CASE(what_is_written_is_read_back) {
  const Lines extents{
      "3 active cursor+512 before=12: open:1x2{@ a bc 0} - last:2<1 closed:0{~} closed:5x3#2{@ d ~48 e ~}",
      "1 reclaiming closed before=0 messages=7: closed:1x3#7{@ a b c d e f g ~} | ~",
      "2 cleaning closed before=7 messages=5: - - -", "4 active"};
  StateBuilder per_writer{Order::per_writer};
  per_writer.write(extents);
  BOOST_TEST(per_writer.read() == extents, boost::test_tools::per_element());

  const Lines frames{"3 active cursor: a -24 busy:7+32 ~8 bcdefghij", "1 sealed closed messages=2: a ~40 b | ~",
                     "2 sealed: ~4088 -8", "2 cleaning cleaned=1024: -1024 ~3072"};
  StateBuilder total{Order::total};
  total.write(frames);
  BOOST_TEST(total.read() == frames, boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(a_new_stream_reads_as_one_empty_slab, data::make(kOrders), order) {
  const StateBuilder state{order};
  const Lines fresh{"1 active cursor before=0"};
  BOOST_TEST(state.read() == fresh, boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(what_a_writer_writes_is_read, data::make(kOrders), order) {
  const StateBuilder state{order};
  Writer writer{state.segment()};
  BOOST_TEST((writer.write("ab") == Status::ok));
  Reservation aborted = writer.reserve(5);
  aborted.abort();
  BOOST_TEST((writer.write("cde") == Status::ok));
  Reservation open = writer.reserve(4);
  const Lines lines{order == Order::total ? "1 active cursor before=0: ab ~16 cde busy:0+16"
                                          : "1 active cursor before=0: open:0{@ ab cde 0}"};
  BOOST_TEST(state.read() == lines, boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(a_reader_gets_what_was_written_by_hand, data::make(kOrders), order) {
  StateBuilder state{order};
  state.write(order == Order::total
                  ? Lines{"1 sealed closed before=0 messages=2: a ~24 b | ~", "2 active cursor before=2: c"}
                  : Lines{"1 sealed closed before=0 messages=2: closed:0#2{@ a b ~} | ~",
                          "2 active cursor before=2: open:0{@ c 0}"});
  state.attach(Attached{.alive = true, .committed = 3, .committed_bytes = 3});
  Reader reader{state.segment(), {.from = From::oldest}};
  std::string got;
  while (reader.wait_for(std::chrono::milliseconds{0})) {
    for (const std::string& text : texts(reader)) got += text;
  }
  BOOST_TEST(got == "abc");
}

BOOST_AUTO_TEST_CASE(what_does_not_stand_in_the_notation_is_refused) {
  StateBuilder state{Order::per_writer};
  for (const char* const line : {"", "1", "1 asleep", "1 active weight=2", "1 active: closed", "1 active: open:1{@ a",
                                 "1 active: - - - - - - - - -", "1 active cursor+8: -", "1 active: - | ?"}) {
    BOOST_CHECK_THROW(state.write({line}), std::invalid_argument);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
