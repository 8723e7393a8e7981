#include <weft/seq2seq/settings/named.h>
#include <weft/seq2seq/tasks/task.h>
#include <weft/seq2seq/text/utf8.h>
#include <weft/tests/catch.h>

#include <algorithm>
#include <set>

using namespace weft;

namespace {

const std::string& default_of(const Corpus& corpus, const std::string& name) {
  const auto found = std::find_if(corpus.defaults.rbegin(), corpus.defaults.rend(),
                                  [&](const auto& d) { return d.first == name; });
  REQUIRE(found != corpus.defaults.rend());
  return found->second;
}

const Task& task_of(const std::string& name) { return find_named(builtin_tasks(), name, "task"); }

bool is_word_task(const std::string& name) { return name.starts_with("scan") || name == "pcfg"; }

std::string answer_of(const char* task, const std::string& source) {
  return task_of(task).answer(source);
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
  CHECK(answer_of("addition-10", "9999999999+1") == "10000000000");
}

TEST_CASE("tasks: Morse code and back") {
  CHECK(answer_of("morse", "sos 73") == "... --- ... / --... ...--");
  CHECK(answer_of("morse-back", "... --- ... / --... ...--") == "sos 73");
  for (const char c : std::string("abcdefghijklmnopqrstuvwxyz0123456789"))
    CHECK(answer_of("morse-back", answer_of("morse", std::string(1, c))) == std::string(1, c));
  CHECK(message_of([] { answer_of("morse", "a+b"); }) ==
        "morse: must be letters a to z and digits; got 'a+b'");
  CHECK(message_of([] { answer_of("morse-back", ".-.-.-"); }) ==
        "morse-back: must be Morse code like .. / .-; got '.-.-.-'");
}

// The examples of the paper's figure 1 and of its data, and each production of the grammar.
TEST_CASE("tasks: SCAN commands mean what they mean in the paper") {
  CHECK(answer_of("scan", "jump") == "I_JUMP");
  CHECK(answer_of("scan", "turn left") == "I_TURN_LEFT");
  CHECK(answer_of("scan", "jump left") == "I_TURN_LEFT I_JUMP");
  CHECK(answer_of("scan", "turn opposite right") == "I_TURN_RIGHT I_TURN_RIGHT");
  CHECK(answer_of("scan", "look opposite right") == "I_TURN_RIGHT I_TURN_RIGHT I_LOOK");
  CHECK(answer_of("scan", "turn around left") == "I_TURN_LEFT I_TURN_LEFT I_TURN_LEFT I_TURN_LEFT");
  CHECK(answer_of("scan", "run around right") ==
        "I_TURN_RIGHT I_RUN I_TURN_RIGHT I_RUN I_TURN_RIGHT I_RUN I_TURN_RIGHT I_RUN");
  CHECK(answer_of("scan", "jump opposite left and walk thrice") ==
        "I_TURN_LEFT I_TURN_LEFT I_JUMP I_WALK I_WALK I_WALK");
  CHECK(answer_of("scan", "jump twice after walk left twice") ==
        "I_TURN_LEFT I_WALK I_TURN_LEFT I_WALK I_JUMP I_JUMP");
  for (const char* command : {"", "turn", "turn around", "jump up", "jump and", "jump twice thrice",
                              "walk and run and look"})
    CHECK(message_of([&] { answer_of("scan", command); }) ==
          "scan: must be like jump around left twice and walk; got '" + std::string(command) + "'");
}

TEST_CASE("tasks: SCAN's splits are of the sizes and the kind that the papers give") {
  const auto holds = [](const std::string& name, size_t train, size_t test, auto is_test) {
    INFO(name);
    Corpus corpus = task_of(name).corpus();
    CHECK(corpus.train.text.source.size() + corpus.valid.text.source.size() == train);
    CHECK(corpus.held_out == std::ssize(corpus.valid.text.source));
    Split& held_out = corpus.tests[0];
    CHECK(held_out.text.source.size() == test);
    size_t wrong = 0;
    for (const Split* split : {&corpus.train, &corpus.valid, &held_out})
      for (size_t i = 0; i < split->text.source.size(); ++i)
        wrong += is_test(split->text.source[i], split->text.target[i]) != (split == &held_out);
    CHECK(wrong == 0);
    return corpus;
  };
  const auto actions = [](const std::string& target) {
    return 1 + std::count(target.begin(), target.end(), ' ');
  };
  std::set<std::string> all;
  const Corpus scan = task_of("scan").corpus();
  for (const Split* split : {&scan.train, &scan.valid, scan.tests.data()})
    all.insert(split->text.source.begin(), split->text.source.end());
  CHECK(all.size() == 20910);
  CHECK(scan.tests[0].text.source.size() == 4182);
  const Corpus jump =
      holds("scan-jump", 14670, 7706, [](const std::string& source, const std::string&) {
        return source != "jump" && source.find("jump") != std::string::npos;
      });
  const auto& sources = jump.train.text.source;
  CHECK(std::count(sources.begin(), sources.end(), "jump") == 1467);
  holds("scan-length", 16990, 3920,
        [&](const std::string&, const std::string& target) { return actions(target) > 22; });
  holds("scan-length-26", 18286, 2624,
        [&](const std::string&, const std::string& target) { return actions(target) > 26; });
}

// The paper's examples are of its table 1; the others are of its data.
TEST_CASE("tasks: PCFG SET functions do what they do in the paper") {
  CHECK(answer_of("pcfg", "copy A B C") == "A B C");
  CHECK(answer_of("pcfg", "reverse A B C") == "C B A");
  CHECK(answer_of("pcfg", "shift A B C") == "B C A");
  CHECK(answer_of("pcfg", "echo A B C") == "A B C C");
  CHECK(answer_of("pcfg", "swap_first_last A B C") == "C B A");
  CHECK(answer_of("pcfg", "swap_first_last A B C D") == "D B C A");
  CHECK(answer_of("pcfg", "repeat A B") == "A B A B");
  CHECK(answer_of("pcfg", "append A B , C D") == "A B C D");
  CHECK(answer_of("pcfg", "prepend A B , C D") == "C D A B");
  CHECK(answer_of("pcfg", "remove_first A B , C D") == "C D");
  CHECK(answer_of("pcfg", "remove_second A B , C D") == "A B");
  CHECK(answer_of("pcfg", "swap_first_last append V1 U8 W18 , G4 O13 M7 R17") ==
        "R17 U8 W18 G4 O13 M7 V1");
  CHECK(answer_of("pcfg", "remove_second append prepend J15 T17 H8 , L7 U1 , U7 F6 , S9 A20") ==
        "L7 U1 J15 T17 H8 U7 F6");
  for (const char* expression :
       {"", "copy", "append A B", "append A B C ,", "copy A , B", "copy ,"})
    CHECK(message_of([&] { answer_of("pcfg", expression); }) ==
          "pcfg: must be like append A B , reverse C D; got '" + std::string(expression) + "'");
}

TEST_CASE("tasks: what is drawn stays within what is said of it") {
  size_t both_long = 0, short_ones = 0, longest = 0;
  for (const std::string& sum : task_of("addition-10").corpus().train.text.source) {
    const size_t plus = sum.find('+'), right = sum.size() - plus - 1;
    both_long += plus == 10 && right == 10 ? 1 : 0;
    short_ones += plus <= 2 ? 1 : 0;
    longest = std::max({longest, plus, right});
  }
  CHECK(longest == 10);
  CHECK(both_long > 30000);  // of 100000
  CHECK(short_ones > 5000);
  int64_t most_symbols = 0, most_functions = 0;
  const Corpus pcfg = task_of("pcfg").corpus();
  for (size_t i = 0; i < pcfg.train.text.source.size(); ++i) {
    const std::vector<std::string_view> words = split_words(pcfg.train.text.source[i]);
    most_functions = std::max<int64_t>(
        most_functions, std::count_if(words.begin(), words.end(),
                                      [](std::string_view word) { return word.size() > 1; }));
    most_symbols = std::max(most_symbols, std::ssize(split_words(pcfg.train.text.target[i])));
  }
  CHECK(most_functions == 5);
  CHECK(most_symbols == 24);
}

TEST_CASE("tasks: no source is in two splits or twice, and each has its answer") {
  for (const Task& task : builtin_tasks()) {
    INFO(task.name);
    if (!task.answer) continue;  // the grammar, which has tests of its own
    const Corpus corpus = task.corpus(), again = task.corpus();
    CHECK(corpus.train.text.source == again.train.text.source);
    CHECK(default_of(corpus, "tokens") == (is_word_task(task.name) ? "word" : "char"));
    CHECK(default_of(corpus, "metric") == "exact");
    REQUIRE(corpus.tests.size() == 1);
    if (!task.name.starts_with("scan")) {
      CHECK(corpus.valid.text.source.size() == 500);
      CHECK(corpus.tests[0].text.source.size() == 1000);
    }
    std::set<std::string> seen;
    size_t sources = 0, wrong = 0;
    for (const Split* split : {&corpus.train, &corpus.valid, corpus.tests.data()}) {
      const std::set<std::string> own(split->text.source.begin(), split->text.source.end());
      const bool jumps = task.name == "scan-jump" && split == &corpus.train;
      CHECK(own.size() + (jumps ? 1466 : 0) == split->text.source.size());
      seen.insert(own.begin(), own.end());
      sources += own.size();
      for (size_t i = 0; i < split->text.source.size(); ++i)
        wrong += task.answer(split->text.source[i]) != split->text.target[i] ? 1 : 0;
    }
    CHECK(seen.size() == sources);
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
  CHECK(
      message_of([] { find_named(builtin_tasks(), "sorts", "task"); }) ==
      "task: must be one of copy, reverse, sort, addition, addition-10, dates, morse, morse-back, "
      "scan, scan-jump, scan-length, scan-length-26, pcfg, german, german-back; got 'sorts'");
}
