// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"
)

// TestWordings names the cause of what components say in their versions, one
// excerpt a line; testdata/wordings.jsonl says who says it.
func TestWordings(t *testing.T) {
	file, err := os.Open("testdata/wordings.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	named := map[Code]bool{}
	lines := bufio.NewScanner(file)
	for number := 1; lines.Scan(); number++ {
		var w struct {
			Code       Code
			From, Text string
		}
		if err := json.Unmarshal(lines.Bytes(), &w); err != nil {
			t.Fatalf("line %d: %v", number, err)
		}
		report := diagnoseText(w.Text)
		if report.Top() != w.Code {
			t.Errorf("line %d (%s): wanted %s, got %s %v\n%s", number, w.From, w.Code, report.Top(), titles(report), w.Text)
		}
		named[w.Code] = true
	}
	for _, r := range Rules() {
		if !named[r.Code] {
			t.Errorf("no wording of %s is tested", r.Code)
		}
	}
}
