// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2" //nolint:revive // the field's idiom
	"github.com/onsi/ginkgo/v2/types"

	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/scenario"
)

// chosen are the scenarios the flags name; none where they name none.
func (e *Exam) chosen() ([]scenario.Scenario, error) {
	explicit := false
	flag.Visit(func(f *flag.Flag) { explicit = explicit || f.Name == "kubeconfig" })
	if explicit {
		return nil, &config.Problem{What: "scenarios break clusters, and -kubeconfig names one", Do: "leave it out: they run on a kind cluster made for them"}
	}
	if e.options.NodeAgent == config.AgentOn {
		return nil, &config.Problem{What: "a node agent does not survive the faults of scenarios", Do: "leave -node-agent out: nodes are reached as containers"}
	}
	names := *e.only
	if *e.heal != "" {
		names = *e.heal
	}
	var all []scenario.Scenario
	for _, name := range strings.FieldsFunc(names, func(r rune) bool { return r == ',' || r == ' ' }) {
		s, ok := scenario.Lookup(name)
		if !ok {
			return nil, &config.Problem{What: fmt.Sprintf("there is no scenario %q", name), Do: "make scenarios-list lists them"}
		}
		all = append(all, s)
	}
	if (*e.keep || *e.injectOnly) && len(all) != 1 {
		return nil, &config.Problem{What: "-keep-broken and -inject-only are for one fault", Do: "name it with -scenario"}
	}
	return all, nil
}

// selected are the scenarios that Ginkgo will run, those of one topology after those
// of another: Ginkgo shuffles topologies. Within one they are sorted by name, or
// shuffled by -ginkgo.randomize-all and -ginkgo.seed: what one leaves in logs must not
// name the cause of the next, whichever that is.
func selected(suite types.SuiteConfig, reporter types.ReporterConfig) []scenario.Scenario {
	chosen := map[string]bool{}
	for _, spec := range PreviewSpecs("cniproof scenarios", suite, reporter).SpecReports.WithLeafNodeType(types.NodeTypeIt) {
		for _, label := range spec.Labels() {
			if name, ok := strings.CutPrefix(label, "scenario:"); ok && spec.State != types.SpecStateSkipped {
				chosen[name] = true
			}
		}
	}
	candidates := slices.Clone(scenario.All())
	if suite.RandomizeAllSpecs {
		order := rand.New(rand.NewPCG(uint64(suite.RandomSeed), 0))
		order.Shuffle(len(candidates), func(i, j int) { candidates[i], candidates[j] = candidates[j], candidates[i] })
	}
	var all []scenario.Scenario
	for _, topology := range topologies(candidates) {
		for _, s := range candidates {
			if s.Topology == topology && chosen[s.Name] {
				all = append(all, s)
			}
		}
	}
	return all
}

// topologies are those of the scenarios: the default one first, which is to be had at
// once, then that of most, so that where time is short few are left out.
func topologies(scenarios []scenario.Scenario) []string {
	examined := map[string]int{}
	for _, s := range scenarios {
		examined[s.Topology]++
	}
	return slices.SortedFunc(maps.Keys(examined), func(a, b string) int {
		switch "default" {
		case a:
			return -1
		case b:
			return 1
		}
		return cmp.Or(cmp.Compare(examined[b], examined[a]), cmp.Compare(a, b))
	})
}
