# SPDX-License-Identifier: Apache-2.0
#
# Imports the images on standard input into the CRI's namespace, pinned so that the
# kubelet never removes them. They stay compressed and packed: every node gets a copy
# of /var, which takes longer than to unpack the few images that the node runs.
set -euo pipefail

containerd >/tmp/containerd.log 2>&1 &
containerd=$!
for _ in {1..150}; do
	ctr version >/dev/null 2>&1 && break
	sleep 0.2
done
if ! ctr --namespace=k8s.io images import --no-unpack --label=io.cri-containerd.pinned=pinned -; then
	tail -n 15 /tmp/containerd.log >&2
	exit 1
fi
kill "$containerd"
wait "$containerd" || true
