#include <weft/seq2seq/settings/named.h>
#include <weft/seq2seq/tasks/task.h>
#include <weft/tests/catch.h>

#include <algorithm>
#include <set>

using namespace weft;

namespace {

const std::string& default_of(const Corpus& corpus, const std::string& name) {
  const auto found = std::find_if(corpus.defaults.begin(), corpus.defaults.end(),
                                  [&](const auto& d) { return d.first == name; });
  REQUIRE(found != corpus.defaults.end());
  return found->second;
}

std::string answer_of(const char* task, const std::string& source) {
  return find_named(builtin_tasks(), task, "task").answer(source);
}

}  // namespace

TEST_CASE("tasks: answers are known") {
  CHECK(answer_of("copy", "weft") == "weft");
  CHECK(answer_of("reverse", "weft") == "tfew");
  CHECK(answer_of("sort", "weft") == "eftw");
  CHECK(answer_of("addition", "999+7") == "1006");
  CHECK(answer_of("addition", "0+0") == "0");
  CHECK(answer_of("dates", "3 May 2021") == "2021-05-03");
  CHECK(answer_of("dates", "December 31, 1999") == "1999-12-31");
  CHECK(message_of([] { answer_of("dates", ""); }) ==
        "dates: must be like 3 May 2021, or May 3, 2021; got ''");
  CHECK(message_of([] { answer_of("dates", "3 Mai 2021"); }) ==
        "dates: must name a month in full; got '3 Mai 2021'");
  CHECK(message_of([] { answer_of("addition", "7"); }) ==
        "addition: must be like 298+805; got '7'");
}

TEST_CASE("tasks: no source is in two splits or twice, and each has its answer") {
  for (const Task& task : builtin_tasks()) {
    INFO(task.name);
    if (!task.answer) continue;  // the grammar, which has tests of its own
    const Corpus corpus = task.corpus(), again = task.corpus();
    CHECK(corpus.train.text.source == again.train.text.source);
    CHECK(default_of(corpus, "tokens") == "char");
    CHECK(default_of(corpus, "metric") == "exact");
    REQUIRE(corpus.tests.size() == 1);
    std::set<std::string> seen;
    size_t pairs = 0, wrong = 0;
    for (const Split* split : {&corpus.train, &corpus.valid, &corpus.tests[0]}) {
      seen.insert(split->text.source.begin(), split->text.source.end());
      pairs += split->text.source.size();
      for (size_t i = 0; i < split->text.source.size(); ++i)
        wrong += task.answer(split->text.source[i]) != split->text.target[i] ? 1 : 0;
    }
    CHECK(seen.size() == pairs);
    CHECK(pairs == (task.name == "addition" ? 61500 : 21500));
    CHECK(wrong == 0);
  }
}

TEST_CASE("tasks: one's own, and what it cannot be") {
  const auto draw = [](Generator& g) {
    return std::string(1, static_cast<char>('a' + g.below(4)));
  };
  const auto same = [](const std::string& s) { return s; };
  const Corpus corpus = draw_corpus(draw, same, {{"tokens", "char"}}, {2, 1, 1});
  CHECK(corpus.train.text.source.size() == 2);
  CHECK(message_of([&] {
          draw_corpus(draw, same, {}, {3, 1, 1});
        }) == "draw_corpus: needs more different sources than 4; 1000 draws gave no other");
  CHECK(message_of([&] {
          draw_corpus(draw, same, {}, {1, 0, 1});
        }) == "draw_corpus: sizes must be positive; got 0 for valid");
  CHECK(message_of([] { find_named(builtin_tasks(), "sorts", "task"); }) ==
        "task: must be one of copy, reverse, sort, addition, dates, german; got 'sorts'");
}
