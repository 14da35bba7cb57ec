"""Which auxiliary corpus suits a main corpus."""
