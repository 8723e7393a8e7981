// What ranks share out and agree on; here they are threads of one process.
#include <weft/optim/distributed/parts.h>
#include <weft/seq2seq/models/transformer_seq2seq.h>
#include <weft/seq2seq/run/ranks.h>
#include <weft/seq2seq/training/evaluate.h>
#include <weft/tests/catch.h>
#include <weft/tests/thread_ranks.h>

#include <csignal>

using namespace weft;

namespace {

/// Calls `check` on each of so many ranks; what it compares is counted one rank at a time.
void on_each(int count, const std::function<std::function<void()>(const Ranks&)>& run) {
  on_ranks(count, [&](Communicator& c) {
    const Ranks ranks(c);
    const std::function<void()> check = run(ranks);
    const std::lock_guard lock(one_at_a_time());
    CAPTURE(count, c.rank());
    check();
  });
}

}  // namespace

TEST_CASE("ranks: numbers and texts are computed once and known to all, in order") {
  for (const int count : {1, 2, 3, 5}) {
    for (const int64_t n : {0, 1, 4, 7}) {
      on_each(count, [&](const Ranks& ranks) {
        int64_t calls = 0;
        const std::vector<double> squares = ranks.map(n, [&](int64_t i) {
          ++calls;
          return static_cast<double>(i * i);
        });
        return std::function<void()>([=, rank = ranks.communicator().rank()] {
          REQUIRE(std::ssize(squares) == n);
          for (int64_t i = 0; i < n; ++i)
            CHECK(squares[static_cast<size_t>(i)] == static_cast<double>(i * i));
          CHECK(calls == (n + count - 1 - rank) / count);
        });
      });
    }
    on_each(count, [&](const Ranks& ranks) {
      const std::vector<Batch> groups{{4, 0}, {2}, {1, 3, 5}};
      const std::vector<std::string> texts = ranks.map(groups, [](const Batch& group) {
        std::vector<std::string> some;
        for (const int64_t i : group) some.emplace_back(static_cast<size_t>(i), 'x');
        return some;
      });
      return std::function<void()>([=] {
        CHECK(texts == std::vector<std::string>{"", "x", "xx", "xxx", "xxxx", "xxxxx"});
      });
    });
  }
}

TEST_CASE("ranks: all know what rank 0 says, and the numbers of all parts") {
  for (const int count : {1, 2, 3, 5}) {
    on_each(count, [&](const Ranks& ranks) {
      const int rank = ranks.communicator().rank();
      const double number = ranks.of_first(1.5 + rank);
      const std::string text = ranks.of_first(std::string(static_cast<size_t>(3 + rank), 'a'));
      std::vector<double> parts(3);
      const PartRange mine = parts_of_rank(3, rank, count);
      for (int64_t i = mine.begin; i < mine.end; ++i)
        parts[static_cast<size_t>(i)] = static_cast<double>(10 + i);
      parts = ranks.of_parts(parts);
      return std::function<void()>([=, first = ranks.first(), several = ranks.several()] {
        CHECK(number == 1.5);
        CHECK(text == "aaa");
        CHECK(parts == std::vector<double>{10, 11, 12});
        CHECK(first == (rank == 0));
        CHECK(several == (count > 1));
      });
    });
  }
}

TEST_CASE("ranks: a signal interrupts all of them, between two shares and in no op") {
  const InterruptScope scope;
  std::raise(SIGUSR1);
  on_each(3, [](const Ranks& ranks) {
    int signal = 0, calls = 0;
    try {
      ranks.map(5, [&](int64_t) { return static_cast<double>(++calls); });
    } catch (const Interrupted& why) {
      signal = why.signal();
    }
    return std::function<void()>([=] {
      CHECK(signal == SIGUSR1);
      CHECK(calls == 0);
    });
  });
}

TEST_CASE("ranks: a model is judged to the same bits on any number of them") {
  const std::vector<std::string> sources{"a b c", "d", "", "e a", "b b b b", "c", "d a e b"};
  const auto vocabulary = word_vocabulary(sources, sources);
  const std::vector<Pair> pairs = encode_pairs(*vocabulary, {sources, sources});
  const std::vector<Batch> batches{{0, 3}, {1, 5}, {4}, {6}};
  struct Judged {
    double loss;
    std::vector<std::string> translations;
  };
  const auto judge = [&](const Ranks& ranks) -> Judged {
    TransformerSeq2Seq model(
        {.vocabulary = vocabulary->size(),
         .transformer = {.layer = {.d_model = 8, .nhead = 2, .dim_feedforward = 8, .dropout = 0.1},
                         .num_encoder_layers = 1,
                         .num_decoder_layers = 1}},
        Generator(3));
    model.eval();
    return {mean_loss(model, pairs, batches, ranks),
            translate_all(model, *vocabulary, sources, ranks)};
  };
  const Judged alone = judge(Ranks());
  CHECK(alone.translations[0] != "");
  CHECK(alone.translations[2].empty());
  for (const int count : {2, 3, 6}) {
    on_each(count, [&](const Ranks& ranks) {
      const Judged judged = judge(ranks);
      return std::function<void()>([=, &alone] {
        CHECK(judged.loss == alone.loss);
        CHECK(judged.translations == alone.translations);
      });
    });
  }
}
