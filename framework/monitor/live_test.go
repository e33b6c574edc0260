// SPDX-License-Identifier: Apache-2.0

package monitor

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cniproof/cniproof/fixtures/image"
	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/session"
)

// live starts monitors on the kind cluster of CNIPROOF_LIVE_KUBECONFIG.
func live(t *testing.T) (*cluster.Cluster, *Monitors) {
	t.Helper()
	kubeconfig := os.Getenv("CNIPROOF_LIVE_KUBECONFIG")
	if kubeconfig == "" {
		t.Skip("CNIPROOF_LIVE_KUBECONFIG names no cluster; see make gate-exam")
	}
	timeouts := config.DefaultTimeouts()
	c, err := cluster.Existing(cluster.ExistingOptions{Kubeconfig: kubeconfig, Timeouts: timeouts, Log: os.Stderr}).Up(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	archive, err := image.Build(t.Context(), "fixtures/probe", os.Stderr)
	if err == nil {
		err = cluster.LoadImage(t.Context(), c, archive.Path, archive.Ref)
	}
	if err != nil {
		t.Fatal(err)
	}
	m, err := Start(t.Context(), Input{
		Cluster: c, Timeouts: timeouts, ID: "live-" + strings.ToLower(rand.Text()[:8]), Image: archive.Ref, Preloaded: true,
		Annotations: session.Ownership(), Until: time.Now().Add(time.Hour), Dir: t.TempDir(), Log: os.Stderr,
	})
	if m != nil {
		t.Cleanup(func() {
			if err := m.Remove(os.Stderr); err != nil {
				t.Error(err)
			}
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return c, m
}

// TestLiveAccuracy drops what one worker forwards for known times and wants each
// gap to be as long as it was, on every path through it but the held ones, which
// TCP's own timers make longer.
func TestLiveAccuracy(t *testing.T) {
	c, m := live(t)
	node := ""
	for _, n := range c.Nodes {
		if !n.ControlPlane {
			node = n.Name
		}
	}
	const tolerance = 150 * time.Millisecond
	type fault struct{ begin, end time.Time }
	var faults []fault
	time.Sleep(3 * time.Second)
	for _, length := range []float64{0.2, 1, 5, 0.2, 1, 0.2} {
		// On a busy node the commands take so long that the true length is not known.
		for range 5 {
			begin, end, unsure := drop(t, c, node, length)
			time.Sleep(7 * time.Second)
			if unsure < tolerance/3 {
				faults = append(faults, fault{begin, end})
				break
			}
		}
	}
	if len(faults) < 3 {
		t.Fatalf("of the faults only %d were made fast enough to measure by", len(faults))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	samples, missing, err := m.Collect(ctx)
	if err != nil || len(missing) > 0 {
		t.Fatal(err, missing)
	}
	all := samples.Gaps(time.Time{}, time.Now())
	for _, g := range all {
		t.Logf("%s  %s  %s  %q lost %d open %t own %t", g.Begin.Format("05.000"), g.Length(), g.Path, g.Letters, g.Lost, g.Open, g.Own)
	}
	for path := range samples {
		through := path.Node == node && path.Way != NodePort || path.Way == OtherNode && path.Peer == node
		if path.Control() || !through {
			continue
		}
		for i, f := range faults {
			var sum time.Duration
			n := 0
			for _, g := range all {
				if g.Path == path && g.Begin.After(f.begin.Add(-time.Second)) && g.Begin.Before(f.end.Add(time.Second)) {
					sum += g.Length()
					n++
				}
			}
			true := f.end.Sub(f.begin)
			off := sum - true
			if path.Flow == FlowHeld {
				t.Logf("%s: fault %d of %s felt for %s", path, i, true, sum)
				continue
			}
			if off.Abs() > tolerance || n != 1 {
				t.Errorf("%s: fault %d of %s seen as %d gaps of %s, off by %s", path, i, true, n, sum, off)
			} else {
				t.Logf("%s: fault %d of %s seen as %s, off by %s", path, i, true, sum, off)
			}
		}
	}
}

// drop drops what the node forwards for so many seconds and returns from when to
// when: the middles of the commands that did and undid it.
func drop(t *testing.T, c *cluster.Cluster, node string, seconds float64) (begin, end time.Time, unsure time.Duration) {
	t.Helper()
	script := fmt.Sprintf(`both() { iptables -w "$@" FORWARD -j DROP; ip6tables -w "$@" FORWARD -j DROP; }; a=$(date +%%s%%N); both -I; b=$(date +%%s%%N); sleep %.3f; c=$(date +%%s%%N); both -D; d=$(date +%%s%%N); echo $a $b $c $d`, seconds)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := c.Access.Run(ctx, node, cluster.Command{Argv: []string{"sh", "-c", script}})
	if err != nil || out.Code != 0 {
		t.Fatal(err, string(out.Stderr))
	}
	var at [4]int64
	for i, word := range strings.Fields(string(out.Stdout)) {
		at[i], _ = strconv.ParseInt(word, 10, 64)
	}
	t.Logf("dropped for %.1f s; the commands took %s and %s", seconds, time.Duration(at[1]-at[0]), time.Duration(at[3]-at[2]))
	return time.Unix(0, (at[0]+at[1])/2), time.Unix(0, (at[2]+at[3])/2), time.Duration(at[1]-at[0]+at[3]-at[2]) / 2
}

// TestLiveQuiet wants no gap that a report would count while nothing is done, for
// CNIPROOF_LIVE_QUIET or a minute.
func TestLiveQuiet(t *testing.T) {
	_, m := live(t)
	length := time.Minute
	if text := os.Getenv("CNIPROOF_LIVE_QUIET"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	follow, stop := context.WithTimeout(t.Context(), length)
	m.Follow(follow)
	stop()
	samples, missing, err := m.Collect(t.Context())
	if err != nil || len(missing) > 0 {
		t.Fatal(err, missing)
	}
	for _, g := range samples.Gaps(begin, time.Now()) {
		tell := t.Errorf
		if g.Own || g.Path.Control() { // which no report counts
			tell = t.Logf
		}
		tell("%s  %s  %s %q own %t, and nothing was done", g.Begin.Format("15:04:05.000"), g.Length(), g.Path, g.Letters, g.Own)
	}
	for path, list := range samples {
		slow := 0
		for _, s := range list {
			if s.Letter == job.SampleSlow {
				slow++
			}
		}
		if wanted := int(length / Every * 9 / 10); len(list) < wanted {
			t.Errorf("%s: %d samples in %s, wanted %d", path, len(list), length, wanted)
		}
		t.Logf("%s: %d samples, %d slow", path, len(list), slow)
	}
}
