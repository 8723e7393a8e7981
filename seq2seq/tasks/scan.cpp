// SCAN: commands to a walker and its actions, with splits that ask for more than was seen (Lake and
// Baroni 2018, arXiv:1711.00350). These are all the commands of the paper's grammar,
//   C -> S and S | S after S | S      S -> V twice | V thrice | V
//   V -> D opposite T | D around T | D T | U      D -> U | turn      T -> left | right
//   U -> walk | look | run | jump
#include <weft/core/detail/check.h>
#include <weft/seq2seq/tasks/hold_out.h>
#include <weft/seq2seq/tasks/task.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>
#include <span>
#include <utility>

namespace weft {
namespace {

// The corpus is part of the task: every run, whatever its seed, is judged on the same commands.
constexpr uint64_t kSplitSeed = 1;
constexpr size_t kTrainSimple = 16728;  // four fifths of all
constexpr size_t kJumps = 1467;         // a tenth of what scan-jump trains on
constexpr int64_t kShort = 22;          // actions, in the paper's split by length
constexpr int64_t kShortOfNewman = 26;  // in one of Newman et al. 2020, arXiv:2010.07174

using Commands = std::vector<std::string>;

Commands verbs() {
  Commands all;
  for (const std::string doer : {"walk", "look", "run", "jump", "turn"}) {
    if (doer != "turn") all.push_back(doer);
    for (const char* manner : {"", " opposite", " around"})
      for (const char* side : {" left", " right"}) all.push_back(doer + manner + side);
  }
  return all;
}

Commands all_commands() {
  Commands phrases;
  for (const std::string& verb : verbs())
    for (const char* times : {"", " twice", " thrice"}) phrases.push_back(verb + times);
  Commands all = phrases;
  for (const std::string& first : phrases)
    for (const std::string& second : phrases)
      for (const char* joint : {" and ", " after "}) all.push_back(first + joint + second);
  return all;
}

std::string repeated(const std::string& actions, int64_t times) {
  std::string all;
  for (int64_t i = 0; i < times; ++i) all += actions;
  return all;
}

// Reads a command from left to right, by the grammar. A space follows each action.
class CommandReader {
 public:
  explicit CommandReader(const std::string& command)
      : command_(command), words_(split_words(command)), left_(words_) {}

  std::string actions() {
    std::string all = phrase();
    if (take("and"))
      all += phrase();
    else if (take("after"))
      all = phrase() + all;
    check(left_.empty(), kExpected, command_);
    all.pop_back();
    return all;
  }

 private:
  static constexpr const char* kExpected =
      "scan: must be like jump around left twice and walk; got '{}'";

  std::string phrase() {
    const std::string once = verb();
    return repeated(once, take("twice") ? 2 : take("thrice") ? 3 : 1);
  }

  std::string verb() {
    const std::string action = take("turn") ? "" : doer();
    if (take("around")) return repeated(side() + action, 4);
    if (take("opposite")) return repeated(side(), 2) + action;
    if (!action.empty() && !next_is("left") && !next_is("right")) return action;
    return side() + action;
  }

  std::string doer() {
    if (take("walk")) return "I_WALK ";
    if (take("look")) return "I_LOOK ";
    if (take("run")) return "I_RUN ";
    check(take("jump"), kExpected, command_);
    return "I_JUMP ";
  }

  std::string side() {
    if (take("left")) return "I_TURN_LEFT ";
    check(take("right"), kExpected, command_);
    return "I_TURN_RIGHT ";
  }

  bool next_is(std::string_view word) const { return !left_.empty() && left_.front() == word; }

  bool take(std::string_view word) {
    const bool is_next = next_is(word);
    if (is_next) left_ = left_.subspan(1);
    return is_next;
  }

  const std::string& command_;
  std::vector<std::string_view> words_;
  std::span<const std::string_view> left_;
};

std::string actions_of(const std::string& command) { return CommandReader(command).actions(); }

Split with_actions(const std::string& name, const Commands& commands) {
  Split split{name, {}, {}};
  for (const std::string& command : commands) {
    split.text.source.push_back(command);
    split.text.target.push_back(actions_of(command));
  }
  return split;
}

// The published splits have nothing to validate on: a part of what is trained on is held out.
Corpus split_corpus(const Commands& train, const Commands& test) {
  Corpus corpus{with_actions("train", train),
                {"valid", {}, {}},
                {with_actions("held-out", test)},
                exact_recipe({{"tokens", "word"},
                              {"epochs", "10"},
                              {"lr", "3e-3"},
                              {"decay", "1"},
                              {"label-smoothing", "0"}})};
  corpus.valid.text = hold_out(corpus.train.text);
  corpus.held_out = std::ssize(corpus.valid.text.source);
  return corpus;
}

Corpus simple_corpus() {
  Commands all = all_commands();
  Generator random(kSplitSeed);
  for (size_t left = all.size(); left > 1; --left)
    std::swap(all[static_cast<size_t>(random.below(static_cast<int64_t>(left)))], all[left - 1]);
  const auto middle = all.begin() + kTrainSimple;
  return split_corpus({all.begin(), middle}, {middle, all.end()});
}

// Training shows "jump" in no other command, but alone often.
Corpus jump_corpus() {
  Commands train(kJumps, "jump"), test;
  for (const std::string& command : all_commands()) {
    if (command == "jump") continue;
    (command.find("jump") == std::string::npos ? train : test).push_back(command);
  }
  return split_corpus(train, test);
}

Corpus length_corpus(int64_t longest) {
  Commands train, test;
  for (const std::string& command : all_commands())
    (std::ssize(split_words(actions_of(command))) <= longest ? train : test).push_back(command);
  return split_corpus(train, test);
}

}  // namespace

Task scan_task() {
  return {"scan", "commands to actions; trained on four fifths of all", simple_corpus, actions_of};
}

Task scan_jump_task() {
  return {"scan-jump", "trained on jump alone, asked for it in longer commands", jump_corpus,
          actions_of};
}

Task scan_length_task() {
  return {"scan-length", "trained on commands of up to 22 actions, asked for 24 to 48",
          [] { return length_corpus(kShort); }, actions_of};
}

Task scan_length_26_task() {
  return {"scan-length-26", "trained on commands of up to 26 actions, asked for 27 to 48",
          [] { return length_corpus(kShortOfNewman); }, actions_of};
}

}  // namespace weft
