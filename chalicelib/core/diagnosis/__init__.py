"""What AWS answered to the doctor's probes, as findings. Pure: answers and sheets in, findings out."""
