// A model directory says what is damaged, and what does not belong together.
#include <weft/tests/catch.h>
#include <weft/tests/flips.h>
#include <weft/tests/sanitized.h>
#include <weft/tests/seq2seq/training/tiny_run.h>
#include <weft/tests/temp_dir.h>
#include <weft/tests/unsealed.h>

#include <algorithm>

using namespace weft;
using Catch::Matchers::Contains;

namespace {

constexpr const char* kDoNotBelong = ": they do not belong together";

std::string complaint(const std::filesystem::path& dir) {
  return message_of([&] { load_model(dir); });
}

void copy_over(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing);
}

// The fields of a file, changed by `act` and sealed again.
template <class Act>
void change(const TempDir& dir, const std::string& name, Act act) {
  JsonObject fields = parse_json(dir.read(name));
  const std::string run = open_seal(fields);
  act(fields);
  dir.write(name, seal_json(fields, run));
}

JsonValue& at(JsonObject& fields, const std::string& key) {
  return std::find_if(fields.begin(), fields.end(), [&](auto& f) { return f.first == key; })
      ->second;
}

constexpr int64_t kEach = kSanitized ? 7 : 1;  // of so many bytes one is damaged

}  // namespace

TEST_CASE("saved model: no flipped bit of weights, settings or vocabulary goes unnoticed") {
  const TempDir dir;
  train_tiny(dir.path());
  REQUIRE_NOTHROW(load_model(dir.path()));
  const std::pair<const char*, int64_t> files[] = {
      {"config.json", kEach}, {"vocabulary.json", kEach}, {kBestCheckpoint, 101 * kEach}};
  for (const auto& entry : files) {
    const char* const file = entry.first;
    const int64_t step = entry.second;
    int64_t flips = 0, refused = 0;
    const std::vector<std::pair<std::string, double>> before = tiny_translations(dir.path());
    with_flips(
        dir / file,
        [&](int64_t byte, int) {
          ++flips;
          if (!complaint(dir.path()).empty())
            ++refused;
          else if (tiny_translations(dir.path()) != before)  // the optimizer's part is not read
            FAIL(file << ", byte " << byte);
        },
        step);
    INFO(file);
    CHECK(flips > 1000 / kEach);
    CHECK((step > kEach || refused == flips));
  }
}

TEST_CASE("saved model: a vocabulary in another order, or of another run, is refused") {
  const TempDir dir, other;
  train_tiny(dir.path());
  train_tiny(other.path(), {.seed = 2});
  const std::string own = dir.read("vocabulary.json");
  std::string shuffled = own;
  shuffled.replace(shuffled.find("\"b\""), 3, "\"c\"");
  shuffled.replace(shuffled.rfind("\"c\""), 3, "\"b\"");
  dir.write("vocabulary.json", shuffled);
  CHECK_THAT(complaint(dir.path()),
             Contains("vocabulary.json") && Contains("it was changed since weft wrote it"));
  copy_over(other / "vocabulary.json", dir / "vocabulary.json");
  CHECK_THAT(complaint(dir.path()), Contains("vocabulary.json") && Contains(kDoNotBelong));
  dir.write("vocabulary.json", own);
  CHECK(complaint(dir.path()).empty());
}

TEST_CASE("saved model: another run's weights of the same shapes are refused") {
  const TempDir dir, other;
  train_tiny(dir.path());
  train_tiny(other.path(), {.seed = 2});
  copy_over(other / kBestCheckpoint, dir / kBestCheckpoint);
  CHECK_THAT(complaint(dir.path()), Contains(kBestCheckpoint) && Contains(kDoNotBelong));
  copy_over(other / "config.json", dir / "config.json");
  CHECK_THAT(complaint(dir.path()), Contains("vocabulary.json") && Contains(kDoNotBelong));
  copy_over(other / "vocabulary.json", dir / "vocabulary.json");
  CHECK(complaint(dir.path()).empty());
}

TEST_CASE("saved model: settings of another model are refused before one is made") {
  const TempDir dir;
  train_tiny(dir.path());
  change(dir, "config.json", [](JsonObject& c) { at(c, "layers") = int64_t{50000}; });
  CHECK_THAT(complaint(dir.path()),
             Contains("is of a model with --layers 1; config.json has 50000"));
  // Even where the checkpoint says the same.
  SafetensorsFile best = load_safetensors((dir / kBestCheckpoint).string());
  const auto pretend = [&](const std::string& setting, const std::string& value) {
    best.metadata["progress.setting." + setting] = value;
    save_safetensors((dir / kBestCheckpoint).string(), best.tensors, best.metadata);
  };
  pretend("layers", "50000");
  CHECK_THAT(complaint(dir.path()), Contains("of about 5.12001e+07 parameters, but ") ||
                                        Contains("of 100000 layers, but "));
  change(dir, "config.json", [](JsonObject& c) { at(c, "layers") = int64_t{300}; });
  pretend("layers", "300");
  CHECK_THAT(complaint(dir.path()), Contains("of 600 layers, but ") && Contains("tensors"));
  change(dir, "config.json", [](JsonObject& c) { at(c, "layers") = int64_t{20}; });
  pretend("layers", "20");
  const std::string message = complaint(dir.path());
  CHECK_THAT(message, Contains("does not fit the module; missing: ") && Contains(" more"));
  CHECK(message.size() < 2000);
}

TEST_CASE("saved model: a directory from before there were checksums is loaded, with a warning") {
  const TempDir dir;
  train_tiny(dir.path());
  const auto before = tiny_translations(dir.path());
  for (const char* file : {"config.json", "vocabulary.json"}) {
    JsonObject fields = parse_json(dir.read(file));
    open_seal(fields);
    dir.write(file, to_json_text(fields));
  }
  SafetensorsFile best = load_safetensors((dir / kBestCheckpoint).string());
  best.metadata.erase("progress.run");
  best.metadata["weft.checkpoint"] = "1";
  save_safetensors((dir / kBestCheckpoint).string(), best.tensors, best.metadata);
  dir.write(kBestCheckpoint, without_checksums(dir.read(kBestCheckpoint)));
  const CapturedErrors errors;
  CHECK(tiny_translations(dir.path()) == before);
  CHECK(errors.text() == "weft: warning: " + dir.path().string() +
                             " is from before weft wrote checksums: damage would go unnoticed\n");
  std::filesystem::remove(dir / kLastCheckpoint);
  CHECK_THAT(message_of([&] { train_tiny(dir.path(), {.resume = true}); }),
             Contains("is from before weft wrote checksums: such a run cannot go on"));
}
