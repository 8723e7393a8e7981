#include <weft/core/detail/check.h>
#include <weft/seq2seq/tasks/task.h>

#include <unordered_set>

namespace weft {

// Each in a file of this folder.
Task copy_task();
Task reverse_task();
Task sort_task();
Task addition_task();
Task addition_10_task();
Task dates_task();
Task morse_task();
Task morse_back_task();
Task scan_task();
Task scan_jump_task();
Task scan_length_task();
Task scan_length_26_task();
Task pcfg_task();

namespace {

// The corpus is part of the task: every run, whatever its seed, is judged on the same sources.
constexpr uint64_t kCorpusSeed = 1;
constexpr int64_t kDrawsForOne = 1000;

using SeenSources = std::unordered_set<std::string>;

std::string draw_new(const std::function<std::string(Generator&)>& draw, Generator& generator,
                     SeenSources& seen) {
  for (int64_t i = 0; i < kDrawsForOne; ++i)
    if (const auto [source, is_new] = seen.insert(draw(generator)); is_new) return *source;
  fail("draw_corpus: needs more different sources than {}; {} draws gave no other", seen.size(),
       kDrawsForOne);
}

}  // namespace

const std::vector<Task>& builtin_tasks() {
  static const std::vector<Task> tasks{
      copy_task(),
      reverse_task(),
      sort_task(),
      addition_task(),
      addition_10_task(),
      dates_task(),
      morse_task(),
      morse_back_task(),
      scan_task(),
      scan_jump_task(),
      scan_length_task(),
      scan_length_26_task(),
      pcfg_task(),
      {"german", "sentences of a small English-German grammar, with word alignments",
       german_corpus},
      {"german-back", "the same sentences from German to English",
       [] { return swap_sides(german_corpus()); }}};
  return tasks;
}

Settings exact_recipe(const Settings& overrides) {
  Settings recipe{{"tokens", "char"}, {"metric", "exact"}, {"d-model", "64"},
                  {"ffn", "128"},     {"dropout", "0"},    {"max-tokens", "512"},
                  {"warmup", "800"},  {"clip", "1"},       {"decay", "2"}};
  recipe.insert(recipe.end(), overrides.begin(), overrides.end());
  return recipe;
}

Corpus draw_corpus(const std::function<std::string(Generator&)>& draw,
                   const std::function<std::string(const std::string& source)>& answer,
                   Settings defaults, const CorpusSizes& sizes) {
  Generator generator(kCorpusSeed);
  SeenSources seen;
  const auto split = [&](const std::string& name, int64_t size) {
    check(size > 0, "draw_corpus: sizes must be positive; got {} for {}", size, name);
    Split s{name, {}, {}};
    for (int64_t i = 0; i < size; ++i) {
      s.text.source.push_back(draw_new(draw, generator, seen));
      s.text.target.push_back(answer(s.text.source.back()));
    }
    return s;
  };
  Split test = split("held-out", sizes.test), valid = split("valid", sizes.valid);
  return {split("train", sizes.train), std::move(valid), {std::move(test)}, std::move(defaults)};
}

Task drawn_task(std::string name, std::string help, std::function<std::string(Generator&)> draw,
                std::function<std::string(const std::string& source)> answer,
                const Settings& overrides, const CorpusSizes& sizes) {
  auto corpus = [draw = std::move(draw), answer, overrides, sizes] {
    return draw_corpus(draw, answer, exact_recipe(overrides), sizes);
  };
  return {std::move(name), std::move(help), std::move(corpus), std::move(answer)};
}

}  // namespace weft
