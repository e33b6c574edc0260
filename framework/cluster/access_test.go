// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
)

func TestClip(t *testing.T) {
	for name, test := range map[string]struct {
		limit  int64
		writes []string
		wanted string
	}{
		"all":             {8, []string{"abc", "defgh"}, "abcdefgh"},
		"nothing":         {8, nil, ""},
		"one more":        {8, []string{"abcdefghi"}, "abcd\n... 1 bytes left out ...\nfghi"},
		"byte by byte":    {4, strings.Split("0123456789", ""), "01\n... 6 bytes left out ...\n89"},
		"uneven":          {5, []string{"ab", "cd", "ef", "gh", "i"}, "ab\n... 4 bytes left out ...\nghi"},
		"in large chunks": {4, []string{strings.Repeat("x", 100), "yz"}, "xx\n... 98 bytes left out ...\nyz"},
	} {
		c := &clip{limit: test.limit}
		for _, text := range test.writes {
			if n, err := io.WriteString(c, text); n != len(text) || err != nil {
				t.Errorf("%s: wanted %d bytes taken, observed %d, %v", name, len(text), n, err)
			}
		}
		if got := string(c.bytes()); got != test.wanted {
			t.Errorf("%s: wanted %q, observed %q", name, test.wanted, got)
		}
		if wanted := strings.Contains(test.wanted, "left out"); c.truncated() != wanted {
			t.Errorf("%s: wanted truncated %t, observed %t", name, wanted, c.truncated())
		}
	}
}

func TestDescribe(t *testing.T) {
	got := containerAccess{}.Describe("worker2", []string{"sh", "-c", "ls /etc/cni/net.d | wc -l", "it's", ""})
	wanted := `docker exec worker2 sh -c 'ls /etc/cni/net.d | wc -l' 'it'\''s' ''`
	if got != wanted {
		t.Errorf("wanted %s, observed %s", wanted, got)
	}
}

// TestExecFault is about what docker 20.10, dash and the env of coreutils say.
func TestExecFault(t *testing.T) {
	ended := fmt.Errorf("%w: %w", errNotBegun, io.EOF)
	for name, test := range map[string]struct {
		out    Output
		err    error
		fault  string
		absent bool
	}{
		"success":            {},
		"exit code 1":        {out: Output{Code: 1, Stderr: []byte("Error: it is broken")}},
		"own exit code 127":  {out: Output{Code: 127, Stderr: []byte("sh: 1: foo: not found")}},
		"container is gone":  {out: Output{Code: -1, Stderr: []byte("Error: No such container: 1b4615a02a34\n")}, err: ended, fault: "No such container"},
		"container stopped":  {out: Output{Code: -1, Stderr: []byte("Error response from daemon: Container 1b46 is not running\n")}, err: ended, fault: "is not running"},
		"no shell":           {out: Output{Code: -1}, err: fmt.Errorf("%w: OCI runtime exec failed: %w", errNotBegun, io.EOF), fault: "OCI runtime exec failed"},
		"no timeout command": {out: Output{Code: 127, Stderr: []byte("sh: 2: timeout: not found\n")}, fault: "timeout"},
		"no such command":    {out: Output{Code: 127, Stderr: []byte("env: 'calicoctl': No such file or directory\n")}, fault: "calicoctl", absent: true},
		"no docker":          {out: Output{Code: -1}, err: exec.ErrNotFound, fault: "not found", absent: true},
	} {
		err := execFault(test.out, test.err)
		if (err != nil) != (test.fault != "") || err != nil && !strings.Contains(err.Error(), test.fault) {
			t.Errorf("%s: wanted %q, observed %v", name, test.fault, err)
		}
		if errors.Is(err, exec.ErrNotFound) != test.absent {
			t.Errorf("%s: wanted not found %t, observed %v", name, test.absent, err)
		}
	}
}
