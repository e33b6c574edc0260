// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2" //nolint:revive // the field's idiom
	"github.com/onsi/ginkgo/v2/types"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
)

// choose learns from a preview which checks Ginkgo's own flags leave out, and
// returns how many are left. That none is left is a problem of whoever typed
// them, told before anything is deployed.
func (s *Suite) choose(preview Report) int {
	s.filtered = map[string]bool{}
	total := 0
	for _, spec := range preview.SpecReports.WithLeafNodeType(types.NodeTypeIt) {
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
