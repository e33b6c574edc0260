// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/monitor"
)

// Total is the key of the budget of all paths together, and Broken that of
// connections that were lost.
const (
	Total  = "total"
	Broken = "broken"
)

// Budget is how much of a disruption is let pass.
type Budget struct {
	// Total bounds the time in which any path did not work.
	Total time.Duration `json:"totalNanoseconds"`
	// Kinds bounds, for each kind of path (monitor.Path.Kind), the time that the
	// worst of them did not work, all its gaps together.
	Kinds map[string]time.Duration `json:"kinds"`
	// Broken is how many held connections may be lost, on all paths together.
	Broken int `json:"broken"`
}

// DefaultBudget is for an upgrade that replaces what makes the network, one node
// after another. New connections and datagrams may fail for two seconds, twice what
// a SYN waits before it is sent again: no client that tries again notices more than
// a slow answer. DNS may for five, a resolver's own wait for its second try
// (resolv.conf(5)). A connection that is held may be silent for twice as long as
// the network, since TCP sends ever more seldom, but none may be lost: nothing in a
// rolling upgrade needs that, and applications do notice.
func DefaultBudget() Budget {
	b := Budget{Total: 10 * time.Second, Kinds: map[string]time.Duration{}}
	for _, way := range monitor.Ways {
		b.Kinds[way] = 2 * time.Second
		if way != monitor.DNS {
			b.Kinds[way+"/"+monitor.FlowHeld] = 5 * time.Second
		}
	}
	b.Kinds[monitor.DNS] = 5 * time.Second
	return b
}

// ParseBudget reads -max-disruption: "10s" for the total, "service=0s" for a kind,
// "broken=3", comma-separated, over the defaults.
func ParseBudget(text string) (Budget, error) {
	b := DefaultBudget()
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		key, value, ok := strings.Cut(item, "=")
		if !ok {
			key, value = Total, item
		}
		if err := b.set(key, value); err != nil {
			return b, &config.Problem{What: fmt.Sprintf("-max-disruption has %q", item), Do: "use a duration for the total, or kind=duration with kind one of " + strings.Join(b.keys(), ", "), Err: err}
		}
	}
	return b, nil
}

func (b *Budget) set(key, value string) error {
	if key == Broken {
		n, err := fmt.Sscanf(value, "%d", &b.Broken)
		if err != nil || n != 1 || b.Broken < 0 || fmt.Sprint(b.Broken) != value {
			return fmt.Errorf("%q is not a number of connections", value)
		}
		return nil
	}
	d, err := time.ParseDuration(value)
	if err == nil && d < 0 {
		err = fmt.Errorf("%s is negative", value)
	}
	if err != nil {
		return err
	}
	if key == Total {
		b.Total = d
		return nil
	}
	if _, ok := b.Kinds[key]; !ok {
		return fmt.Errorf("there is no kind %q", key)
	}
	b.Kinds[key] = d
	return nil
}

func (b Budget) keys() []string {
	keys := []string{Total, Broken}
	for kind := range b.Kinds {
		keys = append(keys, kind)
	}
	slices.Sort(keys[2:])
	return keys
}

// Spent is what became of one line of a budget.
type Spent struct {
	// Kind is Total, Broken or a kind of path.
	Kind string `json:"kind"`
	// Allowed and Used are durations; for Broken they are numbers, and for a kind
	// Used is that of Worst.
	Allowed time.Duration `json:"allowed"`
	Used    time.Duration `json:"used"`
	Worst   string        `json:"worst,omitempty"`
	// Paths are how many were watched, Gaps how many there were on all of them and
	// Longest the longest.
	Paths   int           `json:"paths"`
	Gaps    int           `json:"gaps"`
	Longest time.Duration `json:"longest"`
}

// Over tells that more was used than allowed.
func (s Spent) Over() bool { return s.Used > s.Allowed }

// Says is the line in words.
func (s Spent) Says() string {
	if s.Kind == Broken {
		return fmt.Sprintf("%d connections lost, %d allowed", s.Used, s.Allowed)
	}
	return fmt.Sprintf("%s, %s allowed", seconds(s.Used), seconds(s.Allowed))
}

// spend puts what the paths lost against the budget: a line for each kind of path
// that was watched.
func (b Budget) spend(paths []PathResult) []Spent {
	total := Spent{Kind: Total, Allowed: b.Total}
	broken := Spent{Kind: Broken, Allowed: time.Duration(b.Broken)}
	kinds := map[string]*Spent{}
	var all []monitor.Gap
	for _, p := range paths {
		if p.Path.Control() {
			continue
		}
		kind := p.Path.Kind()
		line := kinds[kind]
		if line == nil {
			line = &Spent{Kind: kind, Allowed: b.Kinds[kind]}
			kinds[kind] = line
		}
		line.Paths++
		total.Paths++
		var used time.Duration
		for _, g := range p.counted() {
			used += g.Length()
			line.Gaps++
			total.Gaps++
			line.Longest, total.Longest = max(line.Longest, g.Length()), max(total.Longest, g.Length())
			broken.Used += time.Duration(g.Broken)
			all = append(all, g)
		}
		if used > line.Used {
			line.Used, line.Worst = used, p.Path.String()
		}
		if p.Path.Flow == monitor.FlowHeld {
			broken.Paths++
		}
	}
	total.Used = monitor.Union(all)
	lines := []Spent{total, broken}
	for _, way := range monitor.Ways {
		for _, kind := range []string{way, way + "/" + monitor.FlowHeld} {
			if line := kinds[kind]; line != nil {
				lines = append(lines, *line)
			}
		}
	}
	return lines
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
