#include <weft/core/error.h>
#include <weft/seq2seq/text/seal.h>
#include <weft/tests/catch.h>

using namespace weft;

namespace {

const JsonObject kFields{
    {"kind", "words"}, {"rate", 0.1}, {"n", int64_t{3}}, {"pieces", std::vector<std::string>{"a"}}};

// Each text with one bit flipped.
template <class Act>
void for_each_flip(const std::string& text, Act act) {
  for (size_t i = 0; i < 8 * text.size(); ++i) {
    std::string flipped = text;
    flipped[i / 8] = static_cast<char>(flipped[i / 8] ^ (1 << (i % 8)));
    act(flipped);
  }
}

}  // namespace

TEST_CASE("seal: what was sealed is opened, with its run") {
  JsonObject fields = parse_json(seal_json(kFields, "00ff"));
  CHECK(open_seal(fields) == "00ff");
  CHECK(fields == kFields);
  fields = parse_json(seal_json(kFields, ""));
  CHECK(open_seal(fields).empty());
  CHECK(fields == kFields);
  CHECK(open_seal(seal_toml("lr = 1\n# run away\n", "00ff")) == "00ff");
  CHECK(open_seal(seal_toml("", "")).empty());
}

TEST_CASE("seal: what was never sealed is of no run") {
  JsonObject fields = kFields;
  CHECK(open_seal(fields).empty());
  CHECK(open_seal(std::string("lr = 1\n")).empty());
}

TEST_CASE("seal: no flipped bit goes unnoticed, unless the seal itself is gone") {
  for_each_flip(seal_json(kFields, "00ff"), [](const std::string& text) {
    INFO(text);
    CHECK_FALSE(message_of([&] {
                  JsonObject fields = parse_json(text);
                  open_seal(fields);
                }).empty());
  });
  int64_t unsealed = 0;
  for_each_flip(seal_toml("lr = 1\n", "00ff"), [&](const std::string& text) {
    std::string run = "none";
    if (!message_of([&] { run = open_seal(text); }).empty()) return;
    INFO(text);
    CHECK(run.empty());
    CHECK(text.starts_with("lr = 1\n"));
    ++unsealed;
  });
  CHECK(unsealed == 8 * 6);  // "# run "
}

TEST_CASE("seal: its errors say what is wrong") {
  JsonObject fields = parse_json(seal_json(kFields, "00ff"));
  fields[2].second = int64_t{4};
  CHECK(message_of([&] { open_seal(fields); }) ==
        "it was changed since weft wrote it: its checksum is wrong");
  CHECK(message_of([&] { open_seal(fields); }) ==  // which the first call took
        "it was changed since weft wrote it: its checksum is missing");
  CHECK(message_of([] { open_seal(seal_toml("lr = 1\n", "00ff") + "steps = 9\n"); }) ==
        "it was changed since weft wrote it: its checksum is wrong");
  CHECK(message_of([] { check_same_run("best", "a", "config.json", "b"); }) ==
        "best is of run a, but config.json of run b: they do not belong together");
  CHECK(message_of([] { check_same_run("best", "", "config.json", "b"); }) ==
        "best is without a run, but config.json of run b: they do not belong together");
}

TEST_CASE("seal: ids differ") {
  CHECK(new_run_id() != new_run_id());
  CHECK(new_run_id().size() == 16);
}
