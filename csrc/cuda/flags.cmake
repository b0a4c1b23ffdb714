# Floating-point flags of device code, which make its results those of the CPU, bit for bit: no fused multiply-add, no
# flushing of small numbers to zero, exact division and square root. All but the first are nvcc's defaults; --use_fast_math
# would change them. PTX then says how every operation rounds, so what the driver compiles from it later keeps the bits.
set(PUFFERC_CUDA_FLAGS --fmad=false -ftz=false -prec-div=true -prec-sqrt=true)
