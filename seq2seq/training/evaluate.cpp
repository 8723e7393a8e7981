#include <weft/autograd/graph/grad_mode.h>
#include <weft/core/error.h>
#include <weft/seq2seq/training/evaluate.h>

#include <cmath>

namespace weft {
namespace {

constexpr int64_t kTokensAtOnce = 2048;  // for a rank: a batch

}  // namespace

double mean_loss(Seq2SeqModel& model, std::span<const Pair> pairs, std::span<const Batch> batches,
                 const Ranks& ranks) {
  const NoGrad no_grad;
  const std::vector<double> means = ranks.map(std::ssize(batches), [&](int64_t i) {
    const Batch& batch = batches[static_cast<size_t>(i)];
    return model.loss(pad_ids(pairs, batch, &Pair::source), pad_ids(pairs, batch, &Pair::target), 0)
        .item();
  });
  double total = 0;
  int64_t tokens = 0;
  for (size_t i = 0; i < batches.size(); ++i) {
    const int64_t n = predicted_tokens(pairs, batches[i]);
    total += means[i] * static_cast<double>(n);
    tokens += n;
  }
  return total / static_cast<double>(tokens);
}

double perplexity(Seq2SeqModel& model, const Vocabulary& vocabulary, const ParallelText& text,
                  const Ranks& ranks) {
  const std::vector<Pair> pairs = encode_pairs(vocabulary, text);
  std::vector<Ids> targets;
  for (const Pair& pair : pairs) targets.push_back(pair.target);
  return std::exp(mean_loss(model, pairs, inference_batches(targets, kTokensAtOnce), ranks));
}

std::vector<std::string> translate_all(Seq2SeqModel& model, const Vocabulary& vocabulary,
                                       std::span<const std::string> sentences, const Ranks& ranks) {
  std::vector<Ids> sources;
  for (const std::string& sentence : sentences)
    sources.push_back(encode_source(vocabulary, sentence));
  return ranks.map(inference_batches(sources, kTokensAtOnce), [&](const Batch& batch) {
    std::vector<std::string> share;
    for (const int64_t i : batch) share.push_back(sentences[static_cast<size_t>(i)]);
    return translate_all(model, vocabulary, share);
  });
}

AlignmentScores::Head best_alignment_head(Seq2SeqModel& model, const Vocabulary& vocabulary,
                                          const Split& split, ReadAt step) {
  if (split.gold.size() != split.text.source.size())
    throw Error("alignment: the split \"" + split.name + "\" has no gold alignments");
  if (vocabulary.tokens() != Tokens::kWords)
    throw Error("alignment: gold alignments link words; the vocabulary has other tokens");
  AlignmentScores scores(step);
  for (size_t i = 0; i < split.gold.size(); ++i) {
    const Ids source = encode_source(vocabulary, split.text.source[i]);
    const Ids target = encode_target(vocabulary, split.text.target[i]);
    scores.add(cross_attention(model, source, target), static_cast<int64_t>(source.size()) - 1,
               static_cast<int64_t>(target.size()) - 2, split.gold[i]);
  }
  return scores.best();
}

}  // namespace weft
