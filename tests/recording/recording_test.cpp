// The file of a recording: what was added comes back, whatever becomes of the recorder, the disk, or a bit of the file.
#include <signal.h>
#include <sys/resource.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "recording/error.hpp"
#include "recording/recording_reader.hpp"
#include "recording/recording_writer.hpp"
#include "support/skip.hpp"

using namespace std::chrono_literals;

namespace sapbuf::recording {

namespace {

using std::chrono::nanoseconds;

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span{text}); }

// A message, or a loss, that can be compared.
struct Item {
  nanoseconds at{};
  std::uint16_t type = 0;
  std::string payload;
  std::uint64_t lost = 0;
  bool had_attachments = false;

  bool operator==(const Item&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Item& item) {
  return out << item.at.count() << " ns, type " << item.type << ", " << item.payload.size() << " bytes, lost "
             << item.lost;
}

std::vector<Item> rest_of(RecordingReader& reader) {
  std::vector<Item> items;
  while (const Record* const record = reader.next()) {
    items.push_back({record->at, record->type,
                     std::string{reinterpret_cast<const char*>(record->payload.data()), record->payload.size()},
                     record->lost, record->had_attachments});
  }
  return items;
}

// All of `part` is in `whole`, in its order.
bool is_part(const std::vector<Item>& part, const std::vector<Item>& whole) {
  auto at = whole.begin();
  for (const Item& item : part) {
    at = std::find(at, whole.end(), item);
    if (at == whole.end()) return false;
    ++at;
  }
  return true;
}

struct Fixture {
  Fixture() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sapbuf-recording.XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    directory = pattern;
    path = directory / "recording";
  }
  ~Fixture() { std::filesystem::remove_all(directory); }

  RecordingWriter writer(const RecordingOptions& options = {}) {
    return {path.string(), "ticks/orders", 1'700'000'000, options};
  }
  RecordingReader reader() { return RecordingReader{path.string()}; }

  static void add(RecordingWriter& writer, const Item& item) {
    if (item.lost != 0) return writer.add_loss(item.at, item.lost);
    writer.add_message(item.at, item.type, item.had_attachments ? kHadAttachments : 0, bytes_of(item.payload));
  }
  // Three blocks: two messages, two messages and a loss, and the last message.
  static std::vector<Item> some_items() {
    return {
        {1ms, 7, "first"},       {2ms, 0, ""},    {3ms, 65535, std::string("\0\n\xff", 3), 0, true}, {3ms, 0, "", 1234},
        {5ms, 8, "second last"}, {9ms, 9, "last"}};
  }
  std::vector<Item> record_some(bool finish, const RecordingOptions& options = {}) {
    const std::vector<Item> items = some_items();
    RecordingWriter recording = writer(options);
    for (std::size_t at = 0; at < items.size(); ++at) {
      add(recording, items[at]);
      if (at == 1 || at == 4) recording.write_block();
    }
    recording.write_block();
    if (finish) recording.finish();
    return items;
  }

  std::string content() const {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
  }
  void set_content(std::string_view bytes) const {
    std::ofstream{path, std::ios::binary | std::ios::trunc}.write(bytes.data(),
                                                                  static_cast<std::streamsize>(bytes.size()));
  }

  // In place: a file that is emptied and written anew goes to the disk each time.
  void flip_bit(std::size_t bit) const {
    std::fstream file{path, std::ios::binary | std::ios::in | std::ios::out};
    file.seekg(static_cast<std::streamoff>(bit / 8));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(bit / 8));
    file.put(static_cast<char>(byte ^ 1 << bit % 8));
  }

  std::filesystem::path directory;
  std::filesystem::path path;
};

// Where each of its blocks begins, and where the last one ends.
std::vector<std::uint64_t> block_borders(const std::string& path) {
  const File file = File::open(path);
  BlockWalk walk{file, file.size()};
  std::vector<std::uint64_t> borders{walk.at()};
  while (walk.next()) borders.push_back(walk.at());
  return borders;
}

// Until it goes: no file of this process gets larger.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(std::uint64_t bytes) {
    before_handler_ = ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    BOOST_REQUIRE_EQUAL(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, before_handler_);
  }

 private:
  rlimit before_{};
  void (*before_handler_)(int) = nullptr;
};

auto is_of_kind(RecordingError::Kind kind) {
  return [kind](const RecordingError& error) { return error.kind() == kind; };
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(recording, Fixture)

BOOST_DATA_TEST_CASE(what_was_added_comes_back, boost::unit_test::data::make({false, true}), finished) {
  const std::vector<Item> items = record_some(finished);
  RecordingReader all = reader();
  BOOST_TEST(all.is_finished() == finished);
  BOOST_TEST(all.source() == "ticks/orders");
  BOOST_TEST(all.started_ns() == 1'700'000'000u);
  BOOST_TEST(rest_of(all) == items, boost::test_tools::per_element());
  BOOST_TEST(all.damage().places == 0u);
  BOOST_TEST(all.torn_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(a_message_may_be_larger_than_a_block) {
  const std::string large(300'000, 'x');
  {
    RecordingWriter recording = writer({.block_bytes = 1000});
    add(recording, {0ms, 1, large});
    BOOST_TEST(recording.is_full());
    recording.finish();
  }
  RecordingReader all = reader();
  BOOST_TEST((rest_of(all) == std::vector<Item>{{0ms, 1, large}}));
}

BOOST_AUTO_TEST_CASE(compressed_it_is_smaller_and_the_same) {
  if (!can_compress()) return test::skip("built without zstd");
  std::vector<Item> items;
  for (int number = 0; number < 1000; ++number) items.push_back({nanoseconds{number}, 3, "always the same words"});
  for (const bool compress : {false, true}) {
    RecordingWriter recording = writer({.compress = compress, .overwrite = true});
    for (const Item& item : items) add(recording, item);
    recording.finish();
    if (compress) BOOST_TEST(recording.file_bytes() < 10'000u);
  }
  RecordingReader all = reader();
  BOOST_TEST(rest_of(all) == items, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_does_not_get_smaller_is_stored_as_it_is) {
  if (!can_compress()) return test::skip("built without zstd");
  const std::vector<Item> items = record_some(true, {.compress = true});
  RecordingReader all = reader();
  BOOST_TEST(rest_of(all) == items, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(index_headers_and_contents_say_the_same) {
  record_some(false);
  const Summary by_headers = reader().summarize(false);
  std::filesystem::remove(path);
  record_some(true);
  RecordingReader finished = reader();
  for (const Summary& summary : {by_headers, finished.summarize(false), finished.summarize(true)}) {
    BOOST_TEST((summary.totals == Totals{.messages = 5, .payload_bytes = 23, .lost = 1234, .with_attachments = 1}));
    BOOST_TEST((summary.first == 1ms));
    BOOST_TEST((summary.last == 9ms));
    BOOST_TEST(summary.damage.places == 0u);
    BOOST_TEST(summary.torn_bytes == 0u);
  }
}

// As a kill leaves it, in the middle of the last block.
BOOST_DATA_TEST_CASE(cut_at_any_byte_of_the_last_block_it_has_all_blocks_before,
                     boost::unit_test::data::make({false, true}), compress) {
  if (compress && !can_compress()) return test::skip("built without zstd");
  const std::vector<Item> items = record_some(false, {.compress = compress});
  const std::vector<Item> before_last{items.begin(), items.end() - 1};
  const std::vector<std::uint64_t> borders = block_borders(path.string());
  BOOST_REQUIRE_EQUAL(borders.size(), 5u);  // start, three blocks of records, the end
  const std::uint64_t last = borders[3];
  for (std::uint64_t size = borders[4]; size-- > last;) {
    std::filesystem::resize_file(path, size);
    RecordingReader cut = reader();
    BOOST_TEST(rest_of(cut) == before_last, boost::test_tools::per_element());
    BOOST_TEST(cut.torn_bytes() == size - last);
    BOOST_TEST(cut.damage().places == 0u);
    BOOST_TEST(cut.summarize(false).torn_bytes == size - last);
  }
}

// A machine that stopped, where the file had got its length before its content.
BOOST_AUTO_TEST_CASE(a_last_block_of_zeros_is_torn_off) {
  const std::vector<Item> items = record_some(false);
  const std::uint64_t last = block_borders(path.string())[3];
  std::string bytes = content();
  for (const std::uint64_t from : {last + sizeof(BlockHeader), last}) {
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.end(), '\0');
    set_content(bytes);
    RecordingReader torn = reader();
    BOOST_TEST(rest_of(torn).size() == items.size() - 1);
    BOOST_TEST(torn.torn_bytes() == bytes.size() - last);
    BOOST_TEST(torn.damage().places == 0u);
  }
}

BOOST_DATA_TEST_CASE(each_bit_that_is_flipped_is_found, boost::unit_test::data::make({false, true}), finished) {
  const std::vector<Item> items = record_some(finished);
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < 8 * std::filesystem::file_size(path); ++bit) {
    flip_bit(bit);
    try {
      RecordingReader damaged = reader();
      const std::vector<Item> left = rest_of(damaged);
      BOOST_TEST(is_part(left, items), "bit " << bit << " made something up");
      BOOST_TEST(left.size() + 3 >= items.size(), "bit " << bit << " takes more than a block away");
      BOOST_TEST(damaged.damage().places + damaged.torn_bytes() != 0, "bit " << bit << " is not noticed");
      BOOST_TEST((!damaged.is_finished() || damaged.torn_bytes() == 0), "bit " << bit << " tears a finished one");
    } catch (const RecordingError& error) {
      ++refused;
      BOOST_TEST((error.kind() == RecordingError::Kind::no_recording));
    }
    flip_bit(bit);
  }
  BOOST_TEST(refused == 8 * sizeof(FileHeader));
}

BOOST_AUTO_TEST_CASE(verification_counts_what_a_damaged_block_had) {
  record_some(true);
  std::string bytes = content();
  bytes[bytes.find("first")] = 'F';
  set_content(bytes);
  RecordingReader damaged = reader();
  BOOST_TEST(damaged.summarize(false).damage.places == 0u);
  const Summary summary = damaged.summarize(true);
  BOOST_TEST(summary.damage.places == 1u);
  BOOST_TEST(summary.damage.messages == 2u);
  BOOST_TEST(summary.totals.messages == 3u);
}

// Somebody may record what somebody else replays.
BOOST_AUTO_TEST_CASE(a_recording_in_a_message_is_no_part_of_the_file) {
  record_some(true);
  const std::string inner = content();
  {
    RecordingWriter recording = writer({.overwrite = true});
    add(recording, {0ms, 0, inner});
    recording.write_block();
    add(recording, {1ms, 0, "behind it"});
    recording.finish();
  }
  std::string bytes = content();
  const std::size_t in_header_of_first = block_borders(path.string())[1] + sizeof(BlockHeader) / 2;
  for (const std::size_t place : {in_header_of_first, bytes.find(inner) + 1}) {
    std::string damaged = bytes;
    damaged[place] = static_cast<char>(damaged[place] + 1);
    set_content(damaged);
    RecordingReader all = reader();
    const std::vector<Item> left = rest_of(all);
    BOOST_TEST(all.damage().places == 1u);
    BOOST_TEST((left.empty() || left.back().payload == "behind it"));
    BOOST_TEST(left.size() <= 1u);
  }
}

BOOST_DATA_TEST_CASE(a_time_is_found_with_the_index_and_without, boost::unit_test::data::make({false, true}),
                     finished) {
  const std::vector<Item> items = record_some(finished);
  RecordingReader all = reader();
  for (const nanoseconds from : {0ms, 1ms, 2ms, 3ms, 4ms, 5ms, 6ms, 9ms, 10ms}) {
    all.seek(from);
    const auto wanted = std::find_if(items.begin(), items.end(), [&](const Item& item) { return item.at >= from; });
    BOOST_TEST(rest_of(all) == (std::vector<Item>{wanted, items.end()}), boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(what_came_at_one_time_is_found_in_all_its_blocks) {
  {
    RecordingWriter recording = writer();
    for (const char* const payload : {"a", "b", "c"}) {
      add(recording, {1ms, 0, payload});
      recording.write_block();
    }
    recording.finish();
  }
  RecordingReader all = reader();
  all.seek(1ms);
  BOOST_TEST(rest_of(all).size() == 3u);
}

BOOST_DATA_TEST_CASE(behind_a_summary_all_records_come, boost::unit_test::data::make({false, true}), verify) {
  const std::vector<Item> items = record_some(false);
  RecordingReader all = reader();
  rest_of(all);
  all.summarize(verify);
  BOOST_TEST(rest_of(all) == items, boost::test_tools::per_element());
}

// As many blocks as some tens of gigabytes have: the index stays small, and leads near.
BOOST_AUTO_TEST_CASE(a_long_recording_has_a_coarse_index) {
  constexpr int kMessages = 150'000;
  {
    RecordingWriter recording = writer({.block_bytes = 1});
    for (int number = 0; number < kMessages; ++number) {
      add(recording, {nanoseconds{number}, 0, "x"});
      recording.write_block();
    }
    const std::uint64_t before = recording.file_bytes();
    recording.finish();
    BOOST_TEST(recording.file_bytes() - before < (std::uint64_t{1} << 20) + 1000);
  }
  RecordingReader all = reader();
  BOOST_TEST(all.summarize(false).totals.messages == static_cast<std::uint64_t>(kMessages));
  for (const int at : {0, 1, 70'001, kMessages - 1}) {
    all.seek(nanoseconds{at});
    const Record* const record = all.next();
    BOOST_REQUIRE(record != nullptr);
    BOOST_TEST(record->at.count() == at);
  }
}

BOOST_AUTO_TEST_CASE(a_file_that_is_there_is_not_overwritten_unless_asked) {
  set_content("precious");
  BOOST_CHECK_EXCEPTION(writer(), RecordingError, is_of_kind(RecordingError::Kind::exists));
  BOOST_TEST(content() == "precious");
  writer({.overwrite = true}).finish();
  BOOST_TEST(reader().is_finished());
}

BOOST_AUTO_TEST_CASE(nobody_else_records_to_the_file_meanwhile) {
  RecordingWriter first = writer();
  BOOST_CHECK_EXCEPTION(writer({.overwrite = true}), RecordingError, is_of_kind(RecordingError::Kind::in_use));
  add(first, {1ms, 1, "kept"});
  first.write_block();
  RecordingReader meanwhile = reader();
  BOOST_TEST(meanwhile.is_being_written());
  BOOST_TEST(rest_of(meanwhile).size() == 1u);
  first.finish();
  BOOST_TEST(!reader().is_being_written());
}

BOOST_AUTO_TEST_CASE(what_cannot_be_a_recording_is_refused) {
  BOOST_CHECK_EXCEPTION(reader(), RecordingError, is_of_kind(RecordingError::Kind::system));  // there is none
  set_content("");
  BOOST_CHECK_EXCEPTION(reader(), RecordingError, is_of_kind(RecordingError::Kind::no_recording));
  set_content(std::string(1000, 'x'));
  BOOST_CHECK_EXCEPTION(reader(), RecordingError, is_of_kind(RecordingError::Kind::no_recording));
  BOOST_CHECK_EXCEPTION(RecordingReader{directory.string()}, RecordingError,
                        is_of_kind(RecordingError::Kind::no_recording));
  std::string newer(sizeof(FileHeader), '\0');
  newer.replace(0, kFileMagic.size(), kFileMagic.data(), kFileMagic.size());
  newer[8] = 2;
  set_content(newer);
  BOOST_CHECK_EXCEPTION(reader(), RecordingError, [](const RecordingError& error) {
    return std::string_view{error.what()}.find("version 2") != std::string_view::npos;
  });
}

BOOST_AUTO_TEST_CASE(where_the_disk_is_full_all_blocks_before_stay) {
  {
    RecordingWriter recording = writer();
    add(recording, {1ms, 1, "kept"});
    recording.write_block();
    const std::uint64_t kept = recording.file_bytes();
    add(recording, {2ms, 1, std::string(5000, 'x')});
    {
      const FileSizeLimit limit{kept + 3000};
      BOOST_CHECK_EXCEPTION(recording.write_block(), RecordingError, is_of_kind(RecordingError::Kind::system));
    }
    BOOST_TEST(std::filesystem::file_size(path) == kept);
    BOOST_TEST(recording.written().messages == 1u);
    recording.finish();
  }
  RecordingReader all = reader();
  BOOST_TEST(all.is_finished());
  BOOST_TEST((rest_of(all) == std::vector<Item>{{1ms, 1, "kept"}}));
}

BOOST_AUTO_TEST_CASE(where_not_even_the_index_has_room_it_is_as_after_a_kill) {
  {
    RecordingWriter recording = writer();
    add(recording, {1ms, 1, "kept"});
    recording.write_block();
    const FileSizeLimit limit{recording.file_bytes() + 110};
    BOOST_CHECK_THROW(recording.finish(), RecordingError);
  }
  RecordingReader all = reader();
  BOOST_TEST(!all.is_finished());
  BOOST_TEST(rest_of(all).size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace sapbuf::recording
