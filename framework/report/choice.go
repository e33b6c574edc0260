// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2" //nolint:revive // the field's idiom
	"github.com/onsi/ginkgo/v2/types"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
)

// choose narrows Ginkgo's filter to the areas, learns from a preview which
// checks Ginkgo's own flags leave out, and returns how many are left. A filter
// that cannot be read or leaves none is a problem of whoever typed it, told
// before anything is deployed.
func (s *Suite) choose(suite *types.SuiteConfig, reporter types.ReporterConfig) int {
	if s.problem != nil {
		return 0 // Ginkgo would be the first to stumble over it
	}
	if _, err := types.ParseLabelFilter(suite.LabelFilter); err != nil {
		s.problem = &config.Problem{What: fmt.Sprintf("the label filter %q cannot be read", suite.LabelFilter), Do: "see https://onsi.github.io/ginkgo/#spec-labels"}
		return 0
	}
	suite.LabelFilter = labelFilter(suite.LabelFilter, s.options.Areas)
	s.filtered = map[string]bool{}
	total := 0
	for _, spec := range PreviewSpecs("cniproof", *suite, reporter).SpecReports.WithLeafNodeType(types.NodeTypeIt) {
		if spec.State != types.SpecStateSkipped {
			total++
			continue
		}
		for _, label := range spec.Labels() {
			if id, ok := strings.CutPrefix(label, "check:"); ok {
				s.filtered[id] = true
			}
		}
	}
	if total == 0 {
		s.problem = &config.Problem{What: "the flags select no check", Do: "see the README's table for areas and checks, and mind that Ginkgo's label filter wants a space after a colon"}
	}
	return total
}

// ids are the checks to run, in order.
func (s *Suite) ids() []string {
	var ids []string
	for _, c := range s.selected() {
		ids = append(ids, c.ID)
	}
	return ids
}

func (s *Suite) selected() []check.Check {
	return slices.DeleteFunc(s.session.Selected(), func(c check.Check) bool { return s.filtered[c.ID] })
}

// labelFilter narrows Ginkgo's filter to areas. The space after the colon
// matters: without it the filter silently selects nothing.
func labelFilter(filter string, areas []string) string {
	if len(areas) == 0 {
		return filter
	}
	byArea := "area: containsAny {" + strings.Join(areas, ", ") + "}"
	if filter == "" {
		return byArea
	}
	return "(" + filter + ") && " + byArea
}
