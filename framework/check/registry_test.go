// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"slices"
	"strings"
	"testing"
)

func nothing(context.Context, *Env) error { return nil }

func sample(id string, requires ...string) Check {
	return Check{ID: id, Title: "the claim of " + id, Level: Required, Requires: requires, Run: nothing}
}

func ids(checks []Check) []string {
	var list []string
	for _, c := range checks {
		list = append(list, c.ID)
	}
	return list
}

func TestChecksAreOrdered(t *testing.T) {
	r := new(Registry)
	for _, c := range []Check{
		sample("dns.service-name", "pod.other-node", "dns.a-later-name"),
		sample("pod.other-node", "sandbox.starts"),
		sample("cni.plugins-present"),
		sample("pod.hairpin", "dns.a-later-name"), // an area reported later
		sample("sandbox.starts"),
		sample("dns.a-later-name"),
		sample("node.ready"),
	} {
		r.Register(c)
	}
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"node.ready", "cni.plugins-present", "sandbox.starts",
		"dns.a-later-name", "pod.hairpin", "pod.other-node", "dns.service-name",
	}
	if got := ids(r.Checks()); !slices.Equal(got, want) {
		t.Errorf("order\n got %v\nwant %v", got, want)
	}
}

func TestValidateNamesWhatIsWrong(t *testing.T) {
	r := new(Registry)
	r.Register(sample("pod.a", "pod.b"))
	r.Register(sample("pod.b", "pod.c"))
	r.Register(sample("pod.c", "pod.a"))
	r.Register(sample("pod.d", "pod.missing"))
	err := r.Validate()
	if err == nil {
		t.Fatal("a cycle and an unknown ID were accepted")
	}
	for _, want := range []string{"pod.a -> pod.b -> pod.c -> pod.a", `pod.d requires "pod.missing"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	if _, err := NewRunner(RunnerOptions{Registry: r}); err == nil {
		t.Error("NewRunner took an invalid registry")
	}
}

func TestRegisterPanics(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(*Check)
		want string
	}{
		"no area":     {func(c *Check) { c.ID = "hairpin" }, "area.claim"},
		"wrong area":  {func(c *Check) { c.ID = "pods.hairpin" }, "node, cni, sandbox"},
		"no claim":    {func(c *Check) { c.ID = "pod." }, "lower-case words"},
		"upper case":  {func(c *Check) { c.ID = "pod.HairPin" }, "lower-case words"},
		"three parts": {func(c *Check) { c.ID = "pod.hair.pin" }, "lower-case words"},
		"a path":      {func(c *Check) { c.ID = "pod.../x" }, "lower-case words"},
		"no title":    {func(c *Check) { c.Title = "" }, "no Title"},
		"no level":    {func(c *Check) { c.Level = "" }, "level"},
		"no run":      {func(c *Check) { c.Run = nil }, "no Run"},
		"duplicate":   {func(c *Check) { c.ID = "pod.taken" }, "registered twice"},
	} {
		t.Run(name, func(t *testing.T) {
			r := new(Registry)
			r.Register(sample("pod.taken"))
			c := sample("pod.hairpin")
			test.edit(&c)
			defer func() {
				p, _ := recover().(string)
				if !strings.Contains(p, test.want) || !strings.Contains(p, c.ID) {
					t.Errorf("panic %q, want one that names %q and says %q", p, c.ID, test.want)
				}
			}()
			r.Register(c)
		})
	}
}
