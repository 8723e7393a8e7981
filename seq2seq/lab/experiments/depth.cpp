#include <fmt/format.h>
#include <weft/autograd/ops.h>
#include <weft/nn/init.h>
#include <weft/nn/inspect/detail/scoped_hooks.h>
#include <weft/seq2seq/lab/experiments/depth.h>
#include <weft/seq2seq/models/transformer_seq2seq.h>

#include <cmath>

namespace weft {
namespace {

struct Case {
  bool pre_norm, scaled;

  std::string norm() const { return pre_norm ? "pre" : "post"; }
  std::string scale() const { return scaled ? "1/sqrt(d)" : "none"; }
};

constexpr const char* kWeights[] = {"query", "key", "value"};
using Norms = std::vector<std::vector<double>>;  // [weight][layer]

std::vector<Ids> random_ids(const DepthOptions& o, Generator& generator, bool target) {
  std::vector<Ids> sentences(static_cast<size_t>(o.sentences));
  for (Ids& ids : sentences) {
    if (target) ids.push_back(kBegin);
    for (int64_t i = 0; i < o.words; ++i)
      ids.push_back(kSpecials + generator.below(o.vocabulary - kSpecials));
    ids.push_back(kEnd);
  }
  return sentences;
}

double query_factor(const DepthOptions& o, const Case& c) {
  return c.scaled ? 1 : std::sqrt(static_cast<double>(o.d_model / o.heads));
}

// W_Q' in place of W_Q.
void lengthen_queries(Module& model, int64_t d, double factor) {
  detail::for_each_module(model, [&](Module& module) {
    if (const auto* attention = dynamic_cast<MultiheadAttention*>(&module)) {
      const Tensor queries = slice(attention->in_proj_weight.detach(), 0, 0, d);
      init::copy(queries, queries * factor);
    }
  });
}

double length(const Tensor& x) { return std::sqrt(sum(x * x).item()); }

Norms gradient_norms(const DepthOptions& o, const Case& c, uint64_t seed) {
  const TransformerLayerOptions layer{.d_model = o.d_model,
                                      .nhead = o.heads,
                                      .dim_feedforward = o.ffn,
                                      .dropout = 0,
                                      .norm_first = c.pre_norm};
  const auto depth = static_cast<int>(o.layers);
  Generator generator(seed);
  TransformerSeq2Seq model({.vocabulary = o.vocabulary, .transformer = {layer, depth, depth}},
                           generator);
  const double factor = query_factor(o, c);
  lengthen_queries(model, o.d_model, factor);
  const PaddedIds source = pad_ids(random_ids(o, generator, false)),
                  target = pad_ids(random_ids(o, generator, true));
  model.loss(source, target, 0).backward();
  Norms norms(3);
  for (int64_t l = 0; l < o.layers; ++l) {
    const std::string path = fmt::format("transformer.decoder.layers.{}.multihead_attn", l);
    const Tensor g = model.find(path + ".in_proj_weight").grad();  // [3 D, D]
    for (int64_t part = 0; part < 3; ++part)
      norms[static_cast<size_t>(part)].push_back(
          length(slice(g, 0, part * o.d_model, (part + 1) * o.d_model)) * (part == 0 ? factor : 1));
  }
  return norms;
}

Norms mean_norms(const DepthOptions& o, const Case& c) {
  Norms means(3, std::vector<double>(static_cast<size_t>(o.layers), 0.));
  for (int64_t s = 0; s < o.seeds; ++s) {
    const Norms norms = gradient_norms(o, c, static_cast<uint64_t>(o.seed + s));
    for (size_t part = 0; part < 3; ++part)
      for (size_t l = 0; l < means[part].size(); ++l)
        means[part][l] += norms[part][l] / static_cast<double>(o.seeds);
  }
  return means;
}

void add_case(const Case& c, const Norms& norms, ExperimentResult& result) {
  for (size_t part = 0; part < 3; ++part) {
    std::vector<ExperimentTable::Cell> row{c.norm(), c.scale(), kWeights[part]};
    Plot::Series series{fmt::format("{}, {}, {}", c.norm(), c.scale(), kWeights[part]), {}};
    for (size_t l = 0; l < norms[part].size(); ++l) {
      row.push_back(norms[part][l]);
      series.points.push_back({static_cast<double>(l + 1), norms[part][l]});
    }
    row.push_back(norms[part].front() / norms[part].back());
    result.table.rows.push_back(std::move(row));
    if (part != 1) result.plot.series.push_back(std::move(series));  // keys are as queries
  }
}

// The first layer over the last, and the norms without the scale over those with it, geometric
// means over layers.
std::string verdict(const DepthOptions& o, const ExperimentTable& table) {
  const auto ratio = [&](const char* norm, const char* scale, const char* weight) {
    return table.at({norm, scale, weight}, "first/last");
  };
  const auto unscaled = [&](const char* norm, const char* weight) {
    double log_sum = 0;
    for (int64_t l = 1; l <= o.layers; ++l) {
      const std::string column = fmt::format("layer {}", l);
      log_sum += std::log(table.at({norm, "none", weight}, column) /
                          table.at({norm, "1/sqrt(d)", weight}, column));
    }
    return std::exp(log_sum / static_cast<double>(o.layers));
  };
  return fmt::format(
      "With the scale, the gradient of the first layer's queries is {:.3g} times that of the last "
      "layer's in a post-norm decoder and {:.3g} times in a pre-norm one (values: {:.3g} and "
      "{:.3g}). Without the scale gradients of queries are {:.3g} times as long (post) and {:.3g} "
      "times (pre), those of values {:.3g} and {:.3g} times.",
      ratio("post", "1/sqrt(d)", "query"), ratio("pre", "1/sqrt(d)", "query"),
      ratio("post", "1/sqrt(d)", "value"), ratio("pre", "1/sqrt(d)", "value"),
      unscaled("post", "query"), unscaled("pre", "query"), unscaled("post", "value"),
      unscaled("pre", "value"));
}

}  // namespace

ExperimentResult depth_experiment(const DepthOptions& o) {
  ExperimentResult result;
  result.table.columns = {"norm", "scale", "weight"};
  for (int64_t l = 1; l <= o.layers; ++l)
    result.table.columns.push_back(fmt::format("layer {}", l));
  result.table.columns.push_back("first/last");
  result.plot = {.title = "Gradient norm of cross-attention at initialisation",
                 .x_label = "decoder layer",
                 .y_label = "gradient norm",
                 .series = {},
                 .log_y = true};
  for (const bool pre_norm : {false, true})
    for (const bool scaled : {true, false})
      add_case({pre_norm, scaled}, mean_norms(o, {pre_norm, scaled}), result);
  result.verdict = verdict(o, result.table);
  return result;
}

}  // namespace weft
