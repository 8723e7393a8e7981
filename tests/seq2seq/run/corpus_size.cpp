#include <weft/seq2seq/run/corpus_size.h>
#include <weft/tests/catch.h>

using namespace weft;

namespace {

// So many pairs of sentences of ten ids a side.
std::vector<Pair> pairs(size_t count) {
  const Ids ids{4, 5, 6, 7, 8, 9, 10, 11, 12, 3};
  return std::vector<Pair>(count, {ids, ids});
}

TrainConfig scheduled(TrainConfig config, size_t count) {
  fit_schedule(config, pairs(count));
  return config;
}

}  // namespace

TEST_CASE("a large corpus keeps the defaults") {
  const TrainConfig c = scheduled({}, 100000), usual;
  CHECK(c.max_tokens == usual.max_tokens.value());
  CHECK(c.warmup == usual.warmup.value());
  CHECK(c.patience == usual.patience.value());
}

TEST_CASE("a small corpus gets small batches, a short warm-up and more patience") {
  const TrainConfig c = scheduled({}, 3000);  // 30,000 ids, 51 sentences a batch
  CHECK(c.max_tokens == 600);
  CHECK(c.warmup == 500);
  CHECK(c.patience == 20);
  CHECK(scheduled({}, 10).warmup == 100);
}

TEST_CASE("limits do not change what the weights follow from") {
  TrainConfig config;
  config.steps.give("80");
  config.epochs.give("1");
  CHECK(scheduled(config, 3000).warmup == 500);
}

TEST_CASE("what the user gives stays") {
  TrainConfig config;
  config.warmup.give("7");
  config.max_tokens.give("100");
  config.patience.give("3");
  const TrainConfig c = scheduled(config, 3000);
  CHECK((c.warmup == 7 && c.max_tokens == 100 && c.patience == 3));
}

TEST_CASE("a vocabulary has a subword for every hundred words, and for every character") {
  const auto size = [](const std::vector<std::string>& text) {
    TrainConfig config;
    fit_vocabulary(config, text);
    return config.subwords.value();
  };
  CHECK(size(std::vector<std::string>(10000, "a b c d")) == 400);
  CHECK(size(std::vector<std::string>(1000000, "a b c d")) == 10000);
  CHECK(size({"abc", "cde"}) == 4 + 5 + 1);  // specials, characters, the blank
}
