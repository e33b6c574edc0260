// SPDX-License-Identifier: Apache-2.0

package monitor

import (
	"cmp"
	"slices"
	"time"

	"github.com/cniproof/cniproof/fixtures/probe/job"
)

// Gap is a time in which a path did not work: what a client that asked at each
// moment would have felt.
type Gap struct {
	Path Path `json:"path"`
	// Begin is that of the first sample that failed and End that of the first that
	// worked again, on the node's clock; the true ends are up to Every earlier. Where
	// samples in between were not sent, see change.
	Begin time.Time `json:"begin"`
	End   time.Time `json:"end"`
	// Open tells that the path did not work again while it was watched.
	Open bool `json:"open,omitempty"`
	// Lost is the number of samples that failed, Letters the distinct ways in which
	// they did (job.Sample...).
	Lost    int    `json:"lost"`
	Letters string `json:"letters"`
	// Broken is how many times a connection that was open was lost; held only.
	Broken int `json:"broken,omitempty"`
	// Own tells that the monitor itself did not get to run, so that the gap says
	// nothing of the cluster.
	Own bool `json:"own,omitempty"`
}

// Length is what a client felt. Between the last sample that worked and the next
// that does lies the fault and one interval: on average half of it before the
// fault and half after.
func (g Gap) Length() time.Duration { return g.End.Sub(g.Begin) }

// Times without any sample, because a monitor was restarted, moved or got no
// processor. A gap goes on over one of up to bridged where the samples on both
// sides failed; beyond, and where they did not, nothing is known of the time.
const (
	hole    = 3 * Every
	bridged = 3 * time.Second
)

// gaps are those of one path's samples. Answers that were slow are part of a gap
// beside samples that failed, since they waited for its end, and none alone.
func gaps(path Path, samples []Sample) []Gap {
	var list []Gap
	var current *Gap
	var last time.Time
	finish := func(end time.Time, open bool) {
		if current != nil && current.Lost > 0 {
			current.End, current.Open = end, open
			list = append(list, *current)
		}
		current = nil
	}
	for _, s := range samples {
		unseen := s.At.Sub(last)
		if !last.IsZero() && (unseen > bridged || unseen > hole && s.Letter == job.SampleOK) {
			finish(last.Add(Every), true)
		}
		changed := s.At
		if !last.IsZero() && unseen <= hole {
			changed = change(last, s.At)
		}
		last = s.At
		if s.Letter == job.SampleOK {
			finish(changed, false)
			continue
		}
		if current == nil {
			current = &Gap{Path: path, Begin: changed}
		}
		if s.Letter == job.SampleSlow {
			continue
		}
		current.Lost++
		if !slices.Contains([]byte(current.Letters), s.Letter) {
			current.Letters += string(s.Letter)
		}
		if s.Letter == job.SampleReset || s.Letter == job.SampleAbandoned {
			current.Broken++
		}
	}
	finish(last.Add(Every), true)
	return list
}

// change is when what two samples differ in is taken to have changed: at the second
// where they are Every apart, earlier by half of what is missing where they are not, so
// that a monitor short of processor makes gaps neither longer nor shorter.
func change(a, b time.Time) time.Time { return b.Add((Every - b.Sub(a)) / 2) }

// Gaps are those of all paths between two moments, in the order of time. Those
// that overlap a gap of the monitor's own control by half are marked Own, and those
// around which it could not send what it was to.
func (s Samples) Gaps(from, to time.Time) []Gap {
	own := map[Path][]Gap{}
	var all []Gap
	for path, samples := range s {
		samples = slices.DeleteFunc(slices.Clone(samples), func(s Sample) bool { return s.At.Before(from) || s.At.After(to) })
		found := gaps(path, samples)
		if path.Way == ControlSelf {
			own[path] = found
		}
		all = append(all, found...)
	}
	for i := range all {
		for _, g := range own[all[i].Path.self()] {
			if 2*overlap(all[i], g) >= all[i].Length() {
				all[i].Own = true
			}
		}
		all[i].Own = all[i].Own || starved(s[all[i].Path.self()], all[i])
	}
	slices.SortFunc(all, func(a, b Gap) int {
		return cmp.Or(a.Begin.Compare(b.Begin), cmp.Compare(a.Path.String(), b.Path.String()))
	})
	return all
}

// A monitor that sent less than this part of its samples, in the time of a gap and
// so long before and after, shared its node's processors with too many.
const (
	enough = 0.7
	around = time.Second
)

// starved tells whether a monitor was, by the samples of its control; one that sent
// none was not there, which is another matter.
func starved(control []Sample, g Gap) bool {
	if len(control) == 0 {
		return false
	}
	from, to := g.Begin.Add(-around), g.End.Add(around)
	if first := control[0].At; first.After(from) {
		from = first
	}
	if last := control[len(control)-1].At; last.Before(to) {
		to = last
	}
	sent := 0
	for _, s := range control {
		if !s.At.Before(from) && s.At.Before(to) {
			sent++
		}
	}
	return sent > 0 && float64(sent) < enough*float64(to.Sub(from)/Every)
}

func overlap(a, b Gap) time.Duration {
	begin, end := a.Begin, a.End
	if b.Begin.After(begin) {
		begin = b.Begin
	}
	if b.End.Before(end) {
		end = b.End
	}
	return max(0, end.Sub(begin))
}

// Union is the time in which at least one of the gaps was.
func Union(gaps []Gap) time.Duration {
	sorted := slices.Clone(gaps)
	slices.SortFunc(sorted, func(a, b Gap) int { return a.Begin.Compare(b.Begin) })
	var sum time.Duration
	var until time.Time
	for _, g := range sorted {
		begin := g.Begin
		if begin.Before(until) {
			begin = until
		}
		if g.End.After(begin) {
			sum += g.End.Sub(begin)
			until = g.End
		}
	}
	return sum
}
