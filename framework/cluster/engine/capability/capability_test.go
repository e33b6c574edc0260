// SPDX-License-Identifier: Apache-2.0

package capability

import (
	"slices"
	"testing"
)

// status is from a virtual machine whose bounding set lacks CAP_SYS_RESOURCE.
const status = `Name:	grep
Seccomp:	0
CapInh:	0000000000000000
CapPrm:	000001fffeffffff
CapEff:	000001fffeffffff
CapBnd:	000001fffeffffff
CapAmb:	0000000000000000
NoNewPrivs:	0
`

func TestBoundingNamesWhatIsMissing(t *testing.T) {
	bounding, err := Bounding(status)
	if err != nil {
		t.Fatal(err)
	}
	missing := UpTo(40) &^ bounding
	if got, want := missing.Names(), []string{"CAP_SYS_RESOURCE"}; !slices.Equal(got, want) {
		t.Errorf("missing = %v, want %v", got, want)
	}
	if got := bounding.Names(); len(got) != 40 || got[39] != "CAP_CHECKPOINT_RESTORE" {
		t.Errorf("bounding set = %d names ending in %q, want 40 ending in CAP_CHECKPOINT_RESTORE", len(got), got[len(got)-1])
	}
}

func TestNamesOfACapabilityNewerThanTheTable(t *testing.T) {
	if got := (Set(1) << 41).Names(); !slices.Equal(got, []string{"CAP_41"}) {
		t.Errorf("names = %v, want [CAP_41]", got)
	}
}

func TestBoundingWithoutTheLine(t *testing.T) {
	if _, err := Bounding("Name:\tgrep\n"); err == nil {
		t.Error("no error for a status without CapBnd")
	}
}
