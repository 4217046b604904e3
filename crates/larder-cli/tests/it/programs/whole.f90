! A Fortran program: what its run-time library prints and reads, arrays it allocates and describes, a procedure within a procedure,
! common blocks, types with bound procedures, and an ending of its own.
!
! The tests compile this file with flang; it is no part of their program.
module forms
  implicit none
  type, abstract :: form
    character(len=:), allocatable :: name
  contains
    procedure(area_of), deferred :: area
  end type
  abstract interface
    function area_of(self) result(area)
      import :: form
      class(form), intent(in) :: self
      real(8) :: area
    end function
  end interface
  type, extends(form) :: circle
    real(8) :: radius
  contains
    procedure :: area => area_of_circle
  end type
  type, extends(form) :: square
    real(8) :: side
  contains
    procedure :: area => area_of_square
  end type
  integer, save :: calls = 0
contains
  function area_of_circle(self) result(area)
    class(circle), intent(in) :: self
    real(8) :: area
    calls = calls + 1
    area = acos(-1d0) * self%radius ** 2
  end function
  function area_of_square(self) result(area)
    class(square), intent(in) :: self
    real(8) :: area
    calls = calls + 1
    area = self%side ** 2
  end function
end module

block data numbers
  common /table/ entries(5)
  integer :: entries
  data entries /1, 1, 2, 3, 5/
end block data

recursive integer function fibonacci(n) result(f)
  integer, intent(in) :: n
  if (n < 2) then
    f = n
  else
    f = fibonacci(n - 1) + fibonacci(n - 2)
  end if
end function

program whole
  use forms
  implicit none
  common /table/ entries(5)
  integer :: entries, i, n, status, fibonacci
  external :: fibonacci
  real(8), allocatable :: matrix(:, :), row(:)
  complex(8) :: z
  character(len=20) :: line, argument
  class(form), allocatable :: one

  print '(a, 5i3)', 'common', entries
  allocate(matrix(4, 4), row(4))
  do concurrent (i = 1:4)
    matrix(:, i) = [(real(i * n, 8), n = 1, 4)]
  end do
  row = matmul(matrix, [1d0, 0d0, -1d0, 0.75d0])
  write (*, '(4f8.3, es12.4)') row, sum(matrix, mask=matrix > 4)
  print *, maxval(transpose(matrix)), shape_of(matrix(1:3, 2:4))
  z = exp((0d0, 1d0) * acos(-1d0) / 3)
  write (*, '(2f10.6, i8)') z * conjg(z) + z, fibonacci(20)
  do i = 1, 2
    if (i == 1) then
      one = circle('circle', 2d0)
    else
      one = square('square', 3d0)
    end if
    write (*, '(a, f10.4)') one%name, one%area()
    deallocate(one)
  end do
  print '(a, i0)', 'calls ', calls
  i = 10
  call add_to_i(32)
  print '(a, i0)', 'within ', i
  write (line, '(b12.12, z5)') 1234, 48879
  print '(a)', '[' // trim(line) // '] ' // repeat('ab', 3) // ' ' // adjustr('right')
  read (*, *, iostat=status) n, line
  print '(a, i0, 1x, a)', 'read ', n, trim(line)
  read (*, *, iostat=status) n
  print '(a, l2)', 'end of file', status < 0
  call get_command_argument(1, argument)
  print '(i0, 1x, a)', command_argument_count(), trim(argument)
  print *, transfer(1.5, 1), huge(1_8), ieor(12, 10), nint(2.5), achar(76)
  flush (6)
  error stop 7
contains
  function shape_of(of) result(extents)
    real(8), intent(in) :: of(:, :)
    integer :: extents(2)
    extents = shape(of)
  end function
  subroutine add_to_i(n)
    integer, intent(in) :: n
    i = i + n
  end subroutine
end program
