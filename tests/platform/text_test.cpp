// Text from others must not steer a terminal, forge a line of a log, or run in a shell.
#include <stdlib.h>
#include <unistd.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <sapbuf/error.hpp>
#include <sapbuf/text.hpp>

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;

BOOST_AUTO_TEST_SUITE(text)

BOOST_AUTO_TEST_CASE(what_is_printable_stays_as_it_is) {
  for (const std::string text :
       {"", "feed-a", "a b  c", "C:\\n is no newline", "Grüße, 価格 и 🙂", "'quoted' \"twice\""}) {
    BOOST_TEST(printable(text) == text);
  }
}

BOOST_AUTO_TEST_CASE(what_steers_or_hides_is_escaped) {
  BOOST_TEST(printable("a\nb\tc\rd") == "a\\nb\\tc\\rd");
  BOOST_TEST(printable("\x1b[2J\x07\x7f") == "\\x1b[2J\\x07\\x7f");
  BOOST_TEST(printable(std::string{"a\0b", 3}) == "a\\x00b");
  BOOST_TEST(printable("\xc2\x9b"
                       "2J\xc2\x85") == "\\u{9b}2J\\u{85}");  // C1 controls, as characters
  BOOST_TEST(printable("\x9b"
                       "2J") == "\\x9b2J");  // and as bytes
  BOOST_TEST(printable("a\u202eb\u2066c\u200bd\u2028e\ufefff") ==
             "a\\u{202e}b\\u{2066}c\\u{200b}d\\u{2028}e\\u{feff}f");
  BOOST_TEST(printable("\U000e0041") == "\\u{e0041}");
}

BOOST_AUTO_TEST_CASE(what_is_not_utf_8_is_escaped_byte_by_byte) {
  BOOST_TEST(printable("a\xff"
                       "b") == "a\\xffb");
  BOOST_TEST(printable("\xc3") == "\\xc3");  // cut off
  BOOST_TEST(printable("\xe2\x82x") == "\\xe2\\x82x");
  BOOST_TEST(printable("\xc0\x8a\xe0\x80\x8a") == "\\xc0\\x8a\\xe0\\x80\\x8a");  // newlines, overlong
  BOOST_TEST(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");                    // a surrogate
  BOOST_TEST(printable("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");           // beyond the last character
}

// Whatever goes through twice, in an error's text and then in a log, looks the same.
BOOST_AUTO_TEST_CASE(a_second_time_changes_nothing) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  BOOST_TEST(printable(printable(all)) == printable(all));
}

BOOST_AUTO_TEST_CASE(an_errors_text_is_one_printable_line) {
  const Error error{Errc::not_found, "there is no segment 'a\n\x1b[1m'"};
  BOOST_TEST(error.what() == "there is no segment 'a\\n\\x1b[1m'");
}

BOOST_AUTO_TEST_CASE(operands_are_bare_where_that_is_safe) {
  for (const std::string text : {"ticks", "a.b_c-1", "/dev/shm/sapbuf.x", "%+=,:@"})
    BOOST_TEST(shell_operand(text) == text);
  BOOST_TEST(shell_operand("") == "''");
  BOOST_TEST(shell_operand("it's") == "'it'\\''s'");
  BOOST_TEST(shell_operand("-rf") == "-- -rf");
  BOOST_TEST(shell_operand("-r f") == "-- '-r f'");
}

// What a shell makes of a command line that ends with `text` as an operand: its arguments, each with a NUL behind it.
std::string arguments_in(const std::string& shell, const std::string& text) {
  char script[] = "/tmp/sapbuf-text.XXXXXX";
  const int file = ::mkstemp(script);
  BOOST_REQUIRE(file >= 0);
  const std::string line = "printf '%s\\0' " + shell_operand(text) + "\n";
  BOOST_REQUIRE(::write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
  ::close(file);
  std::FILE* const output = ::popen(("LC_ALL=C.UTF-8 " + shell + " " + script + " 2>&1").c_str(), "r");
  BOOST_REQUIRE(output != nullptr);
  std::string said;
  for (int c = std::fgetc(output); c != EOF; c = std::fgetc(output)) said += static_cast<char>(c);
  ::pclose(output);
  ::unlink(script);
  return said;
}

const std::vector<std::string> kTricky{"a b",
                                       "x; echo run",
                                       "$(echo run)",
                                       "`echo run`",
                                       "it's; echo run",
                                       "~",
                                       "#x",
                                       "*",
                                       "a\\b",
                                       "\"$HOME\"",
                                       "!!",
                                       "a\n; echo run",
                                       "a'\n; echo run'",
                                       "\x1b[1m\\'!",
                                       "\xff\xc2\x9b",
                                       "\u202e",
                                       "-n",
                                       "--",
                                       "-\n'; echo run '",
                                       "\x01\x31"};

BOOST_DATA_TEST_CASE(bash_takes_an_operand_for_the_text_itself, data::make(kTricky), text) {
  const std::string ahead = text.starts_with('-') ? std::string{"--\0", 3} : "";
  BOOST_TEST(arguments_in("bash", text) == ahead + text + '\0');
}

BOOST_DATA_TEST_CASE(no_shell_runs_what_stands_in_an_operand, data::make(kTricky), text) {
  // Whether or not it is the same text for this shell: one operand, and nothing behind it.
  const std::string said = arguments_in("sh", text);
  BOOST_TEST(std::count(said.begin(), said.end(), '\0') == (text.starts_with('-') ? 2 : 1));
  BOOST_TEST(said.ends_with('\0'));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
