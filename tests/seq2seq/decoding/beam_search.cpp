// Beam search on a model whose probabilities are written down.
#include <weft/autograd/ops.h>
#include <weft/seq2seq/decoding/beam_search.h>
#include <weft/seq2seq/text/vocabulary.h>
#include <weft/tests/catch.h>

#include <cmath>
#include <map>

using namespace weft;

namespace {

constexpr int64_t kA = kSpecials, kB = kSpecials + 1, kIds = kSpecials + 2;

// Probabilities of what follows a beginning; ids that are not named share what is left.
using Table = std::map<Ids, std::map<int64_t, double>>;

class TableModel : public Seq2SeqModel {
 public:
  explicit TableModel(Table table) : table_(std::move(table)) {}

  Tensor loss(const PaddedIds&, const PaddedIds&, double) override { return zeros({}); }
  AttentionTrace trace(const PaddedIds&, const PaddedIds&, Tensor*) override { return {}; }
  std::unique_ptr<Decoding> start(const PaddedIds& source) override {
    return std::make_unique<State>(table_, static_cast<size_t>(source.rows));
  }

 private:
  class State : public Decoding {
   public:
    State(const Table& table, size_t rows) : table_(table), rows_(rows) {}

    Tensor next_log_probs(const Tensor& ids) override {
      std::vector<float> log_probs;
      for (size_t row = 0; row < rows_.size(); ++row) {
        const int64_t id = ids.to_vector<int64_t>()[row];
        if (id != kBegin) rows_[row].push_back(id);
        const auto& next = table_.at(rows_[row]);
        double rest = 1;
        for (const auto& entry : next) rest -= entry.second;
        for (int64_t i = 0; i < kIds; ++i) {
          const double p =
              next.contains(i) ? next.at(i) : rest / static_cast<double>(kIds - next.size());
          log_probs.push_back(static_cast<float>(std::log(p)));
        }
      }
      return from_vector(log_probs, {std::ssize(rows_), kIds});
    }

    void keep(const Ids& rows) override {
      std::vector<Ids> kept;
      for (int64_t row : rows) kept.push_back(rows_[static_cast<size_t>(row)]);
      rows_ = std::move(kept);
    }

   private:
    const Table& table_;
    std::vector<Ids> rows_;
  };

  Table table_;
};

Ids search(const Table& table, const SearchOptions& options) {
  TableModel model(table);
  return beam_search(model, pad_ids(std::vector<Ids>{{kA, kEnd}}), options)[0];
}

}  // namespace

TEST_CASE("an end takes none of the places of unfinished beginnings") {
  // With log-probabilities over ((5 + length) / 6): nothing -1.079, a -1.6 at best, b -1.033.
  const Table table{{{}, {{kEnd, 0.34}, {kA, 0.36}, {kB, 0.30}}},
                    {{kA}, {{kEnd, 0.4}, {kA, 0.3}, {kB, 0.3}}},
                    {{kB}, {{kEnd, 0.999}}}};
  CHECK(search(table, {.beam = 2}) == Ids{kB});
}

TEST_CASE("a beam of one is greedy search") {
  const Table table{{{}, {{kA, 0.5}, {kB, 0.4}, {kEnd, 0.1}}},
                    {{kA}, {{kB, 0.6}, {kEnd, 0.4}}},
                    {{kB}, {{kEnd, 0.999}}},
                    {{kA, kB}, {{kEnd, 0.9}}}};
  CHECK(search(table, {.beam = 1}) == Ids{kA, kB});
  const Table ends_at_once{{{}, {{kEnd, 0.6}, {kA, 0.4}}}};
  CHECK(search(ends_at_once, {.beam = 1}).empty());
}

TEST_CASE("the length penalty decides between short and long") {
  const Table table{{{}, {{kEnd, 0.3}, {kA, 0.4}, {kB, 0.3}}},
                    {{kA}, {{kEnd, 0.5}, {kA, 0.25}, {kB, 0.25}}},
                    {{kB}, {{kEnd, 0.5}, {kA, 0.25}, {kB, 0.25}}}};
  CHECK(search(table, {.beam = 2, .length_penalty = 0}).empty());  // 0.3 > 0.2
  CHECK(search(table, {.beam = 2, .length_penalty = 4}) == Ids{kA});
}
