"use strict";
// How each number is computed: what the report says of its measures, and what this page shows
// beside.

const kOtherNumbers = [
  {
    label: "Score, s",
    formula: "s = Σₜ log p(yₜ | y₁ … yₜ₋₁, x)",
    words: "The log-probability that the model gives the target y for the source " +
        "x, unless one token of it is studied alone.",
    reference: ""
  },
  {
    label: "Mean of heads, mean of layers",
    formula: "(1/n) Σ M",
    words: "Plain means of the maps, made by this page.",
    reference: ""
  },
];

const kAgreementNumbers = [
  {
    label: "Alignment error rate (AER)",
    formula: "1 − (|A ∩ S| + |A ∩ P|) / (|A| + |S|)",
    words: "A are the links found, each target token’s strongest; S the sure and " +
        "P the possible gold links, S a part of P.",
    reference: "Och and Ney 2003"
  },
  {
    label: "Precision and recall",
    formula: "|A ∩ P| / |A| and |A ∩ S| / |S|",
    words: "How many of the links found are right, and how many of the right ones are found.",
    reference: "Och and Ney 2003"
  },
];

const kFaithfulNumbers = [
  {
    label: "Comprehensiveness",
    formula: "s(all) − s(all but the first k)",
    words: "How far the score falls without the tokens that the measure ranks " +
        "first: a third of them. More is better.",
    reference: "DeYoung et al. 2020"
  },
  {
    label: "Sufficiency",
    formula: "s(all) − s(only the first k)",
    words: "How far the score falls with those tokens alone. Less is better.",
    reference: "DeYoung et al. 2020"
  },
  {
    label: "AOPC",
    formula: "the mean of comprehensiveness over k = 1 … n",
    words: "The area over the curve of the score as ever more tokens go.",
    reference: "Samek et al. 2017"
  },
  {
    label: "Normalized AOPC",
    formula: "(AOPC − lowest) / (highest − lowest)",
    words: "Between the lowest, 0, and the highest, 1, of all orders of the tokens.",
    reference: "Edin et al. 2024"
  },
  {
    label: "Correlation with Shapley",
    formula: "Spearman’s ρ",
    words: "Whether the measure ranks the tokens as their Shapley values do.",
    reference: "Shapley 1953"
  },
];

const kHeadWords = [
  {
    label: "Importance of a head",
    formula: "mean over sentences of |Σ A ∂s/∂A|",
    words: "How much the score changes, to first order, when the head’s output goes to zero.",
    reference: "Michel et al. 2019"
  },
  {
    label: "Entropy of a head",
    formula: "mean over rows of −Σⱼ Aᵢⱼ log Aᵢⱼ",
    words: "How widely the head looks: 0 is one token alone.",
    reference: "Ghader and Monz 2017"
  },
  {
    label: "Distance of a head",
    formula: "mean over rows of Σⱼ Aᵢⱼ |i − j|",
    words: "How far away the head looks, in positions.",
    reference: "Vig and Belinkov 2019"
  },
];

const kFilmWords = [
  {
    label: "Gradient norm",
    formula: "√(mean over updates of ‖g‖²)",
    words: "Of all parameters of a layer; of a head, of its rows in the projections of queries, " +
        "keys and values. Before clipping.",
    reference: ""
  },
  {
    label: "Signal to noise of a gradient",
    formula: "‖ḡ‖² / Σ variances",
    words: "The mean gradient ḡ of n updates against how it scatters from one to the next. A " +
        "gradient that is noise alone has about 1/n.",
    reference: "McCandlish et al. 2018"
  },
];

function addWordsView() {
  const section = addSection("numbers", "How each number is computed");
  const all = [
    ...kOtherNumbers,
    ...Object.entries(report.measures).map(([name, m]) => ({...m, label: m.label ?? name})),
    ...(report.heads.length ? kHeadWords : []),
    ...(report.agreement.length ? kAgreementNumbers : []),
    ...(report.faithfulness.length ? kFaithfulNumbers : []),
    ...(film?.frames.length ? kFilmWords : [])
  ];
  section.append(
      el("dl", {class: "words"},
         all.map(
             (m) =>
                 el("div", {}, el("dt", {}, m.label),
                    el("dd", {}, el("p", {class: "formula"}, m.formula ?? ""),
                       el("p", {}, m.words ?? ""), el("p", {class: "quiet"}, [
                         m.unit ? `In ${m.unit}.` : "", m.signed ? "May be below zero." : "",
                         m.reference ?? ""
                       ].filter(Boolean).join(" ")))))));
}
