// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"regexp"
	"strings"
	"time"
)

// stamps are the ways components write the time at, or near, the beginning of a
// line. Layouts without a year yield year 0, which finishing fills in.
var stamps = []struct {
	what   string
	match  *regexp.Regexp
	layout string
}{
	{"logrus (containerd, docker, cri-o)", regexp.MustCompile(`time="(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))"`), time.RFC3339},
	{"container log, JSON log, RFC 3339", regexp.MustCompile(`(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:\d\d))`), time.RFC3339},
	{"journal, ISO 8601", regexp.MustCompile(`^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?[+-]\d{4})`), "2006-01-02T15:04:05Z0700"},
	{"calico, python", regexp.MustCompile(`(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)`), "2006-01-02 15:04:05"},
	{"Go's log package (weave)", regexp.MustCompile(`(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)`), "2006/01/02 15:04:05"},
	{"dmesg -T", regexp.MustCompile(`^\[[A-Z][a-z]{2} ([A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d \d{4})\]`), "Jan 2 15:04:05 2006"},
	{"journal, syslog", regexp.MustCompile(`^([A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d)`), "Jan 2 15:04:05"},
	{"klog", regexp.MustCompile(`\b[IWEF](\d{4} \d\d:\d\d:\d\d)`), "0102 15:04:05"},
}

// stampReach is how far into a line a time stamp is looked for: beyond it a
// time belongs to the message.
const stampReach = 140

// stamp returns the time a line carries, in year 0 when it names no year, or
// the zero time when it carries none.
func stamp(line string) time.Time {
	if len(line) > stampReach {
		line = line[:stampReach]
	}
	if strings.Count(line, ":") < 2 {
		return time.Time{}
	}
	for _, s := range stamps {
		m := s.match.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		// Runs of spaces pad days; time.Parse wants the fraction after a dot.
		text := strings.Join(strings.Fields(strings.Replace(m[1], ",", ".", 1)), " ")
		if t, err := time.Parse(s.layout, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// inYear gives a time without a year the one that brings it closest before now.
func inYear(t, now time.Time) time.Time {
	if t.IsZero() || t.Year() != 0 || now.IsZero() || now.Year() == 0 {
		return t
	}
	t = t.AddDate(now.Year(), 0, 0)
	if t.After(now.AddDate(0, 0, 2)) {
		t = t.AddDate(-1, 0, 0)
	}
	return t
}

// ages are kubectl's ways to say how long ago: 45s, 3m28s, 2d4h, 5y12d.
var ages = regexp.MustCompile(`^(?:(\d+)y)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$`)

// age parses one of kubectl's durations.
func age(text string) (time.Duration, bool) {
	m := ages.FindStringSubmatch(text)
	if m == nil || text == "" {
		return 0, false
	}
	units := []time.Duration{365 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second}
	var total time.Duration
	for i, unit := range units {
		var n time.Duration
		for _, digit := range m[i+1] {
			n = min(n*10+time.Duration(digit-'0'), 1e6)
		}
		total += n * unit
	}
	return total, true
}
