// How the search orders its hits: those with more of the words in their title first; pages for tasks before functions,
// functions before members of classes, changes and verdicts last.
var asked = (new URLSearchParams(location.search).get("q") || "").toLowerCase().match(/\w+/g) || [];
var Scorer = {
  score: ([docname, title, anchor, description, score]) => {
    score *= 1 + asked.filter((word) => title.toLowerCase().includes(word)).length / Math.max(1, asked.length);
    if (/^Python (attribute|property|method)/.test(description)) return score - 8;
    if (/^(howto\/|getting_started)/.test(docname)) return score * 2;
    if (/^(changes|verdicts)/.test(docname)) return score / 2;
    return score;
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: {0: 15, 1: 5, 2: -5},
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
