// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

const (
	// leastConfidence is what a finding needs to be worth telling.
	leastConfidence = 0.3
	// elsewhere weighs findings on nodes that the failed check is not about.
	elsewhere = 0.7
	// explains is by how much a symptom may be more certain than its cause and
	// still be explained by it.
	explains = 0.25
)

// apply runs all rules and completes their findings.
func apply(f *fact.Facts) []Finding {
	var all []Finding
	for _, r := range rules {
		for _, found := range r.Match(f) {
			if found.Step == "" && len(found.Evidence) > 0 {
				found.Step = string(f.SortOf(found.Evidence[0].File))
			}
			all = append(all, r.complete(found))
		}
	}
	return all
}

// complete fills what the rule knows and Match left open.
func (r Rule) complete(found Finding) Finding {
	found.Code, found.Hint = r.Code, r.Hint
	if found.Title == "" {
		found.Title = r.Title
		if len(found.Nodes) > 0 {
			found.Title += " (" + strings.Join(found.Nodes, ", ") + ")"
		}
	}
	if found.Fix == nil {
		found.Fix = r.Fix
	}
	node := "<node>"
	if len(found.Nodes) == 1 {
		node = found.Nodes[0]
	}
	fix := make([]string, len(found.Fix))
	for i, line := range found.Fix {
		fix[i] = strings.ReplaceAll(line, "<node>", node)
	}
	found.Fix = fix
	if found.Refutes == "" {
		found.Refutes = r.Refutes
	}
	return found
}

// rank drops what a better finding explains and sorts the rest, best first.
func rank(f *fact.Facts, all []Finding) []Finding {
	ranked := []Finding{}
	all = merge(all)
	for i := range all {
		if f.Check != nil && !about(f.Check, all[i].Nodes) {
			all[i].Confidence *= elsewhere
		}
	}
	for i, found := range all {
		explained := false
		for j := range all {
			cause := &all[j]
			if i == j || !suppresses(cause.Code, found.Code) || !together(cause.Nodes, append(found.peers, found.Nodes...)) ||
				found.direct || found.Confidence > cause.Confidence+explains || cause.Confidence < leastConfidence {
				continue
			}
			explained = true
			if !slices.Contains(cause.Explains, found.Code) {
				cause.Explains = append(cause.Explains, found.Code)
			}
		}
		all[i].Confidence = math.Round(all[i].Confidence*100) / 100
		if explained || found.Confidence < leastConfidence {
			all[i].Confidence = 0
		}
	}
	for _, found := range all {
		if found.Confidence > 0 {
			ranked = append(ranked, found)
		}
	}
	sort.SliceStable(ranked, func(i, j int) bool {
		if ranked[i].Confidence != ranked[j].Confidence {
			return ranked[i].Confidence > ranked[j].Confidence
		}
		if ranked[i].direct != ranked[j].direct {
			return ranked[i].direct // what is so now, before what a log says was
		}
		if !ranked[i].last.Equal(ranked[j].last) {
			return ranked[i].last.After(ranked[j].last)
		}
		return ranked[i].Title < ranked[j].Title
	})
	return ranked
}

// merge makes one finding of those with the same code and title.
func merge(all []Finding) []Finding {
	var merged []Finding
	for _, found := range all {
		i := slices.IndexFunc(merged, func(m Finding) bool { return m.Code == found.Code && m.Title == found.Title })
		if i < 0 {
			merged = append(merged, found)
			continue
		}
		m := &merged[i]
		m.Confidence = max(m.Confidence, found.Confidence)
		for _, q := range found.Evidence {
			m.quote(fact.Quote(q))
		}
		for _, n := range found.Nodes {
			m.on(n)
		}
	}
	return merged
}

// together tells whether two findings may be about the same place.
func together(a, b []string) bool {
	if len(a) == 0 || len(b) == 0 {
		return true
	}
	return slices.ContainsFunc(a, func(n string) bool { return slices.Contains(b, n) })
}

// about tells whether any of the nodes has to do with the failed check.
func about(c *fact.Check, nodes []string) bool {
	if len(nodes) == 0 || len(c.Failures) == 0 {
		return true
	}
	named := false
	for _, failure := range c.Failures {
		named = named || failure.Node != ""
		if slices.Contains(nodes, failure.Node) || slices.Contains(nodes, failure.Peer) {
			return true
		}
	}
	return !named
}
