#include <weft/seq2seq/run/config.h>
#include <weft/tests/catch.h>
#include <weft/tests/temp_dir.h>

using namespace weft;

namespace {

using Given = std::vector<std::pair<std::string, std::string>>;

RunConfig config_of(const Given& given) {
  RunConfig config;
  for (const auto& [name, value] : given) config.find(name).give(value);
  return config;
}

std::string complaint(const Given& given) {
  const RunConfig config = config_of(given);
  return message_of([&] { config.train.files(); });
}

// The files of a run that began with `before`, and goes on with `given`.
CorpusFiles resumed(const Given& before, const Given& given) {
  const TempDir dir;
  config_of(before).save(dir.path());
  RunConfig config = config_of(given);
  config.go_on_from(dir.path());
  return config.train.files();
}

}  // namespace

TEST_CASE("files: one of pairs, or one of each side, for each split") {
  const CorpusFiles files =
      config_of({{"data", "a"}, {"valid-source", "b"}, {"valid-target", "c"}}).train.files();
  CHECK(files.train.pairs == "a");
  CHECK((files.valid.pairs.empty() && files.valid.source == "b" && files.valid.target == "c"));
  CHECK(files.test.empty());
  CHECK(complaint({{"data", "a"}, {"train-target", "b"}}) ==
        "train: --data and --train-target exclude each other");
  CHECK(complaint({{"test-data", "a"}, {"test-source", "b"}, {"test-target", "c"}}) ==
        "train: --test-data and --test-source exclude each other");
  CHECK(complaint({{"data", "a"}, {"valid-target", "b"}}) ==
        "train: --valid-target needs --valid-source too");
  CHECK(complaint({{"train-source", "a"}}) == "train: --train-source needs --train-target too");
}

TEST_CASE("files: a run that goes on finds its own, or those that are given anew in any form") {
  const Given pairs{{"data", "a"}, {"test-data", "d"}};
  const Given sides{{"train-source", "b"}, {"train-target", "c"}};
  CHECK(resumed(pairs, {}).train.pairs == "a");
  const CorpusFiles as_sides = resumed(pairs, sides), as_pairs = resumed(sides, pairs);
  CHECK((as_sides.train.pairs.empty() && as_sides.train.source == "b"));
  CHECK(as_sides.test.pairs == "d");
  CHECK((as_pairs.train.pairs == "a" && as_pairs.train.source.empty()));
  CHECK((as_pairs.train.target.empty() && as_pairs.test.pairs == "d"));
  const CorpusFiles one_side = resumed(sides, {{"train-source", "e"}});
  CHECK((one_side.train.source == "e" && one_side.train.target == "c"));
}

TEST_CASE("files: their paths hold from any directory") {
  RunConfig config = config_of({{"data", "a.tsv"}, {"valid-data", "/b.tsv"}});
  for (SplitSettings* split : config.train.file_settings()) split->make_absolute();
  CHECK(config.train.files().train.pairs == std::filesystem::current_path() / "a.tsv");
  CHECK(config.train.files().valid.pairs == "/b.tsv");
  CHECK(config.train.files().test.empty());
}
