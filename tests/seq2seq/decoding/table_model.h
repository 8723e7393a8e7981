// A model whose probabilities are written down.
#pragma once

#include <weft/autograd/ops.h>
#include <weft/core/random.h>
#include <weft/seq2seq/decoding/decode.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <algorithm>
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

// Every translation of at most `longest` ids and its log-probability, the best score first.
inline std::vector<weft::Hypothesis> all_translations(const Table& table, size_t longest,
                                                      const weft::Strategy& strategy) {
  std::vector<weft::Hypothesis> found, open(1);
  while (!open.empty()) {
    const weft::Hypothesis h = open.back();
    open.pop_back();
    const auto& next = table.at(h.ids);
    for (const int64_t id : {weft::kEnd, kA, kB}) {
      weft::Hypothesis longer = h;
      longer.log_prob += static_cast<double>(static_cast<float>(std::log(next.at(id))));
      longer.ended = id == weft::kEnd;
      if (!longer.ended) longer.ids.push_back(id);
      longer.score = strategy.score(longer);
      if (longer.ended) found.push_back(longer);
      if (!longer.ended && longer.ids.size() <= longest) open.push_back(longer);
    }
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.score > b.score; });
  return found;
}

// Random probabilities after every beginning; those of `longest` ids end almost surely.
inline Table random_table(uint64_t seed, size_t longest) {
  weft::Generator random(seed);
  Table table;
  std::vector<weft::Ids> open{{}};
  while (!open.empty()) {
    const weft::Ids ids = open.back();
    open.pop_back();
    double end = random.uniform(), a = random.uniform(), b = random.uniform();
    if (ids.size() == longest) a = b = 1e-9 * end;
    if (ids.size() > longest) a = b = 0.5 * end;  // reached by hopeless beginnings
    const double sum = (end + a + b) * (1 + 1e-6);
    table[ids] = {{weft::kEnd, end / sum}, {kA, a / sum}, {kB, b / sum}};
    if (ids.size() > longest) continue;
    for (const int64_t id : {kA, kB}) {
      open.push_back(ids);
      open.back().push_back(id);
    }
  }
  return table;
}
