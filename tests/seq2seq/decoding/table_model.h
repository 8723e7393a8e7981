// A model whose probabilities are written down.
#pragma once

#include <weft/autograd/ops.h>
#include <weft/seq2seq/decoding/decode.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <cmath>
#include <map>

inline constexpr int64_t kA = weft::kSpecials, kB = weft::kSpecials + 1, kIds = weft::kSpecials + 2;

// Probabilities of what follows a beginning; ids that are not named share what is left.
using Table = std::map<weft::Ids, std::map<int64_t, double>>;

class TableModel : public weft::Seq2SeqModel {
 public:
  explicit TableModel(Table table) : table_(std::move(table)) {}

  weft::Tensor loss(const weft::PaddedIds&, const weft::PaddedIds&, double) override {
    return weft::zeros({});
  }
  weft::AttentionTrace trace(const weft::PaddedIds&, const weft::PaddedIds&,
                             weft::Tensor*) override {
    return {};
  }
  std::unique_ptr<weft::Decoding> start(const weft::PaddedIds& source) override {
    return std::make_unique<State>(table_, static_cast<size_t>(source.rows));
  }

 private:
  class State : public weft::Decoding {
   public:
    State(const Table& table, size_t rows) : table_(table), rows_(rows) {}

    weft::Tensor next_log_probs(const weft::Tensor& ids) override {
      std::vector<float> log_probs;
      const std::vector<int64_t> last = ids.to_vector<int64_t>();
      for (size_t row = 0; row < rows_.size(); ++row) {
        if (last[row] != weft::kBegin) rows_[row].push_back(last[row]);
        const auto& next = table_.at(rows_[row]);
        double rest = 1;
        for (const auto& entry : next) rest -= entry.second;
        for (int64_t i = 0; i < kIds; ++i) {
          const double p =
              next.contains(i) ? next.at(i) : rest / static_cast<double>(kIds - next.size());
          log_probs.push_back(static_cast<float>(std::log(p)));
        }
      }
      return weft::from_vector(log_probs, {std::ssize(rows_), kIds});
    }

    void keep(const weft::Ids& rows) override {
      std::vector<weft::Ids> kept;
      for (int64_t row : rows) kept.push_back(rows_[static_cast<size_t>(row)]);
      rows_ = std::move(kept);
    }

   private:
    const Table& table_;
    std::vector<weft::Ids> rows_;
  };

  Table table_;
};

/// The hypotheses of one source.
inline std::vector<weft::Hypothesis> decode_one(const Table& table,
                                                const weft::Strategy& strategy) {
  TableModel model(table);
  return weft::decode(model, std::vector<weft::Ids>{{kA, weft::kEnd}}, strategy)[0];
}
