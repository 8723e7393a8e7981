#include <weft/seq2seq/text/json.h>
#include <weft/tests/catch.h>

#include <cmath>
#include <limits>

using namespace weft;

namespace {
const double kInf = std::numeric_limits<double>::infinity();

std::string complaint(const std::string& text) {
  return message_of([&] { parse_json(text); });
}
}  // namespace

TEST_CASE("json: what is written reads back, in order") {
  const JsonObject object{{"z", int64_t{-3}},
                          {"a", 0.1},
                          {"text", "two\nlines \"ä\""},
                          {"list", std::vector<std::string>{"x", ""}}};
  CHECK(to_json_line(object) == R"({"z":-3,"a":0.1,"text":"two\nlines \"ä\"","list":["x",""]})");
  CHECK(parse_json(to_json_line(object)) == object);
  CHECK(parse_json(to_json_text(object)) == object);
  CHECK(to_json_line({}) == "{}");
}

TEST_CASE("json: what is not finite is null") {
  CHECK(to_json_line({{"loss", kInf}}) == R"({"loss":null})");
  CHECK(std::isnan(number_at(parse_json(R"({"loss": null})"), "loss")));
}

TEST_CASE("json: lists of numbers") {
  const std::string line = R"({"a":[1.5,null,-2.0],"b":[]})";
  const JsonObject object = parse_json(line);
  const std::vector<double> a = numbers_at(object, "a");
  REQUIRE(a.size() == 3);
  CHECK(a[0] == 1.5);
  CHECK(std::isnan(a[1]));
  CHECK(a[2] == -2);
  CHECK(numbers_at(object, "b").empty());
  CHECK(strings_at(object, "b").empty());
  CHECK(to_json_line(object) == line);
  CHECK(message_of([&] { strings_at(object, "a"); }) == "\"a\" must be a list of strings");
  CHECK(message_of([&] { numbers_at(parse_json(R"({"s":["x"]})"), "s"); }) ==
        "\"s\" must be a list of numbers");
}

TEST_CASE("json: values have types") {
  const JsonObject object = parse_json(R"({"n": 2, "x": 2.5, "yes": true})");
  CHECK(text_at(object, "yes") == "true");
  CHECK(number_at(object, "n") == 2);
  CHECK(message_of([&] { integer_at(object, "x"); }) == "\"x\" must be a whole number");
  CHECK(message_of([&] { string_at(object, "n"); }) == "\"n\" must be a string");
  CHECK(message_of([&] { strings_at(object, "n"); }) == "\"n\" must be a list of strings");
  CHECK(message_of([&] { number_at(object, "y"); }) == "there is no \"y\"");
}

TEST_CASE("json: what is no flat object is refused") {
  CHECK(complaint("[]") == "the JSON must be an object");
  for (const std::string value : {"{}", "[true]", "[1,\"a\"]", "18446744073709551615"})
    CHECK(complaint("{\"k\": " + value + "}") ==
          "\"k\" must be a number, true, false, a string or a list of numbers or strings");
  CHECK(complaint("{\"k\": 1").find("parse error") != std::string::npos);
  CHECK(complaint("").find("parse error") != std::string::npos);
}
