// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// excerpt is a line of a batch.
type excerpt struct {
	ID   json.RawMessage `json:"id"`
	Text string          `json:"text"`
}

// verdict is the answer to a line.
type verdict struct {
	ID json.RawMessage `json:"id"`
	diagnosis.Report
	// Error says why a line was not diagnosed.
	Error string `json:"error,omitempty"`
}

// longestExcerpt bounds a line of a batch.
const longestExcerpt = 64 << 20

// answer diagnoses each line on its own. A line that is not as expected is
// answered with an error and does not keep the others from being answered.
func answer(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 1<<16), longestExcerpt)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	var errs []error
	for number := 1; lines.Scan(); number++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var e excerpt
		v := verdict{ID: json.RawMessage("null")}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			v.Error = fmt.Sprintf("line %d: wanted {\"id\":..., \"text\":...}: %v", number, err)
			v.Findings = []diagnosis.Finding{}
			errs = append(errs, errors.New(v.Error))
		} else {
			v.Report = diagnosis.Diagnose(diagnosis.Source{Files: []fact.File{pasted(e.Text)}})
		}
		if len(e.ID) > 0 {
			v.ID = e.ID
		}
		if err := encoder.Encode(v); err != nil {
			return fmt.Errorf("write the answer to line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		errs = append(errs, fmt.Errorf("read the batch: %w", err))
	}
	return errors.Join(errs...)
}

func pasted(text string) fact.File {
	return fact.File{Name: "-", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
}
